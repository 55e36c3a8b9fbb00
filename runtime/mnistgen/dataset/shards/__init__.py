"""Datasets in shards: files that processes on any number of computers write independently of each other."""
