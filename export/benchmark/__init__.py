"""Compare the speed of mnistgen with other runtimes."""
