// Package testenv tells tests what they may use: the servers' addresses, how
// long they may take, and rows to read. Only tests import it.
//
//	MONGODB_URI, TEMPORAL_ADDRESS  servers; a test that needs one is skipped without it
//	PADRON_TEST_LONG               not empty: random sequences, chaos and the like at full length
//	PADRON_TEST_DATA               a folder with the layout of data/, used in addition to it
//
// `go run -C deploy/dev . test` sets the first two, its flag --long the third.
package testenv
