// Package stack is what one command of the local stack has started, with what
// it takes to stop it: the data folder and its lock, the ports, the processes,
// the log files, and the variables that tell programs where the servers are.
// It starts no server itself; engine, temporal, servers and product do.
package stack
