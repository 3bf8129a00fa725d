// Package process starts child processes that end with this one, whatever ends
// it, and stops them in an orderly way. It knows nothing of what the children
// are. Every package of the local stack may import it.
package process
