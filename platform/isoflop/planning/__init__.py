"""Plans: pure functions of a study's history that say what to start, resume or stop next."""
