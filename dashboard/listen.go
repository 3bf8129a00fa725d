package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Timeouts of connections: a reader sends a few hundred bytes and takes a page
// of some hundred kB, or an export of some MB.
const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10

	// stopWithin is how long readers may take to get what they asked for when
	// the dashboard stops.
	stopWithin = 5 * time.Second
)

// Listening is a dashboard that is being served.
type Listening struct {
	URL    string // http://HOST:PORT/
	server *http.Server
	done   chan error
}

// Listen serves a dashboard at an address, HOST:PORT. That it may be served
// there is checked with the settings (config.Dashboard).
func Listen(s *Server, addr string) (*Listening, error) {
	listener, err := net.Listen("tcp", addr) //nolint:noctx // binding a port is immediate
	if err != nil {
		return nil, fmt.Errorf("%s cannot be listened on: choose a free address (%w)", addr, err)
	}
	l := &Listening{
		URL:  "http://" + listener.Addr().String() + "/",
		done: make(chan error, 1),
		server: &http.Server{
			Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		},
	}
	go func() { l.done <- l.server.Serve(listener) }()
	return l, nil
}

// Done yields the error that ended the serving.
func (l *Listening) Done() <-chan error { return l.done }

// Stop lets readers finish, for some seconds.
func (l *Listening) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return l.server.Close()
	}
	return nil
}
