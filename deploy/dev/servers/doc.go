// Package servers starts what Padron needs on a stack: MongoDB, Temporal and a
// portal, simulated or real. It does not start Padron itself; product does.
package servers
