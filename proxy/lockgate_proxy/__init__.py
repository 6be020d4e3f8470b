"""The proxy: sockets, the command line, and the way an exchange takes from a client to its upstream and back."""
