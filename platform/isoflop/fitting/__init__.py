"""What is fitted to measured trainings: how shapes should grow, and how far error falls with compute."""
