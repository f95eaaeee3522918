"""What the commands do: `thalweg run`, `show`, `methods`, `problems`. The program itself is `thalweg_cli`."""
