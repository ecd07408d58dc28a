"""A stranger's pictures, parsed in a child process with limits on memory, time and files."""
