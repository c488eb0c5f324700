"""Registered models: who is champion, who is challenger, and what a challenger must show."""
