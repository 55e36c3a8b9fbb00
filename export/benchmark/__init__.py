"""Compare the speed of mnistgen with other runtimes; measure start-up time and memory."""
