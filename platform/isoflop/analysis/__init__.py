"""What a study or a run says when it is looked at as a whole: pure functions of trials and stored predictions."""
