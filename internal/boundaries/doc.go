// Package boundaries reads the outlines of a city's areas as a portal publishes them,
// checks them, and makes them small enough for a map in a browser. It is pure: it
// asks no portal and stores nothing. Every package may import it.
package boundaries
