package temporal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"

	"padron/deploy/dev/stack"
)

// startUI serves the Web UI of the server at addr.
func startUI(ctx context.Context, s *stack.Stack, addr string) (ui string, err error) {
	port := s.Take(stack.PortTemporalUI)
	server := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host: stack.Loopback, Port: port, TemporalGRPCAddress: addr, EnableUI: true,
		CORS:     uiconfig.CORS{CookieInsecure: true}, // plain HTTP on stack.Loopback
		HideLogs: true, DisableNewsFetch: true,
	}))
	ended := make(chan error, 1)
	go func() { ended <- server.Start() }()
	s.OnStop("Temporal's Web UI", func(limit context.Context) error {
		return within(limit, func() error { server.Stop(); return nil })
	})
	ui = "http://" + stack.Address(port)
	deadline := time.Now().Add(startTimeout)
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", stack.Address(port))
		if err == nil {
			return ui, conn.Close()
		}
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, http.ErrServerClosed) {
				err = errors.New("it ended at once")
			}
			return "", fmt.Errorf("start Temporal's Web UI on %s: %w", stack.Address(port), err)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("start Temporal's Web UI on %s: no answer: %w", stack.Address(port), err)
		}
	}
}
