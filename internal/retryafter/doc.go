// Package retryafter reads how long a server asks its clients to wait: the
// Retry-After header of an HTTP answer. It makes no request and waits for nothing.
// Every client of an HTTP server may import it.
package retryafter
