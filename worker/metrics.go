package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// metrics are the SDK's (activities, workflows, pollers, latencies), those of
// the MongoDB client and the process's own, for Prometheus to scrape.
type metrics struct {
	handler  client.MetricsHandler
	endpoint http.Handler
	commands *prometheus.CounterVec // to MongoDB, by name and whether they succeeded
	bytes    *prometheus.CounterVec // to and from MongoDB, on the wire
}

func newMetrics() (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	commands := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "padron_mongodb_commands_total", Help: "Commands that MongoDB answered, by name and result (ok, failed).",
	}, []string{"command", "result"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "padron_mongodb_bytes_total", Help: "Bytes on the wire between this process and MongoDB, by direction (sent, received).",
	}, []string{"direction"})
	registry.MustRegister(commands, bytes)
	meter := metric.NewMeterProvider(metric.WithReader(exporter)).Meter("padron")
	return &metrics{
		handler:  opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter}),
		endpoint: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		commands: commands,
		bytes:    bytes,
	}, nil
}

// observe has the MongoDB client count its commands and bytes. A monitor of
// started commands would have the driver copy each of them, so only answers
// are counted.
func (m *metrics) observe(o *options.ClientOptions) {
	o.SetMonitor(&event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			m.commands.WithLabelValues(e.CommandName, "ok").Inc()
		},
		Failed: func(_ context.Context, e *event.CommandFailedEvent) {
			m.commands.WithLabelValues(e.CommandName, "failed").Inc()
		},
	})
	o.SetDialer(&countingDialer{sent: m.bytes.WithLabelValues("sent"), received: m.bytes.WithLabelValues("received")})
}

// countingDialer makes connections that count their bytes.
type countingDialer struct {
	net.Dialer
	sent, received prometheus.Counter
}

func (d *countingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn, sent: d.sent, received: d.received}, nil
}

type countingConn struct {
	net.Conn
	sent, received prometheus.Counter
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(float64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(float64(n))
	return n, err
}
