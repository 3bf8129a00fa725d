package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/query"
)

const (
	// Limits of connections. A reader sends a few hundred bytes and receives a
	// page of some hundred kB, or an export of some MB.
	headerTimeout = 5 * time.Second
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10

	// stallTimeout is how long a reader may take for each sentAtOnce bytes of an
	// answer, before compression: a slow phone line takes a tenth of it.
	stallTimeout = 10 * time.Second
	sentAtOnce   = 64 << 10

	// largeAnswers bounds the bytes of those answers that are being sent and are
	// larger than smallAnswer: exports. A page is a few hundred kB.
	largeAnswers = 64 << 20
	smallAnswer  = 512 << 10

	// stopWithin is how long running requests may take when the dashboard
	// stops.
	stopWithin = 5 * time.Second
)

// Listening is a dashboard that is served at an address.
type Listening struct {
	URL    string // http://HOST:PORT/
	server *http.Server
	done   chan error
}

// Serve serves the dashboard of a dataset as the settings say. While there is
// no mirror yet, each request looks for it.
func Serve(c config.Config, spec *dataset.Spec, database *mongo.Client, log *slog.Logger) (*Listening, error) {
	d := c.Dashboard
	s, err := New(Options{
		Spec: spec, Sensitive: d.Sensitive, Token: d.Token, Public: d.Public, Embed: d.Embed, Log: log,
		Open: func(ctx context.Context) (*query.Reader, error) {
			return query.Open(ctx, database, c.MongoDatabase, spec.Name)
		},
	})
	if err != nil {
		return nil, err
	}
	l, err := Listen(s, d.Addr)
	if err != nil {
		return nil, fmt.Errorf("PADRON_DASHBOARD_ADDR: %w", err)
	}
	return l, nil
}

// Listen serves a dashboard at an address, HOST:PORT. config.Dashboard checks
// whether it may be served there.
func Listen(s *Server, addr string) (*Listening, error) { return listenWith(s, addr, s.Handler()) }

// listenWith is Listen with a handler of a test's choice.
func listenWith(s *Server, addr string, handler http.Handler) (*Listening, error) {
	listener, err := net.Listen("tcp", addr) //nolint:noctx // binding a port is immediate
	if err != nil {
		return nil, fmt.Errorf("listen on %s, choose a free address: %w", addr, err)
	}
	l := &Listening{
		URL:  "http://" + listener.Addr().String() + "/",
		done: make(chan error, 1),
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		},
	}
	go func() { l.done <- l.server.Serve(listener) }()
	return l, nil
}

// Done receives the error that ended the serving.
func (l *Listening) Done() <-chan error { return l.done }

// Stop stops the serving. Running requests may finish, for some seconds.
func (l *Listening) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return l.server.Close()
	}
	return nil
}
