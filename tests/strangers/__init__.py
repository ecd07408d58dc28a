"""What people bring, as their tools wrote it, and the right value beside each case: for each subject a table and the
test that reads it."""
