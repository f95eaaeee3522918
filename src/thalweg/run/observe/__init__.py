"""What watches a run while it goes on: callbacks, the history file, the progress bar."""
