package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counters are numbers from a worker's metrics.
type counters struct {
	commands            map[string]int64
	sent, received      int64
	heartbeats, queries int
}

func readCounters(ctx context.Context, health string) (counters, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, health+"/metrics", http.NoBody)
	if err != nil {
		return counters{}, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return counters{}, fmt.Errorf("read the worker's metrics: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	return parseCounters(answer.Body)
}

// parseCounters reads metrics in Prometheus' text format.
func parseCounters(r io.Reader) (counters, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return counters{}, fmt.Errorf("read the worker's metrics: %w", err)
	}
	c := counters{commands: map[string]int64{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			n := int64(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			switch {
			case name == "padron_mongodb_commands_total":
				c.commands[labels["command"]] += n
			case name == "padron_mongodb_bytes_total" && labels["direction"] == "sent":
				c.sent += n
			case name == "padron_mongodb_bytes_total":
				c.received += n
			// The SDK declares its counters as able to fall, so OpenTelemetry
			// exports them as gauges.
			case name == "temporal_request" && labels["operation"] == "RecordActivityTaskHeartbeat":
				c.heartbeats += int(n)
			case name == "temporal_request" && labels["operation"] == "RespondQueryTaskCompleted":
				c.queries += int(n)
			}
		}
	}
	return c, nil
}

func (c counters) since(before counters) counters {
	commands := map[string]int64{}
	for name, n := range c.commands {
		if n -= before.commands[name]; n > 0 {
			commands[name] = n
		}
	}
	return counters{commands, c.sent - before.sent, c.received - before.received, c.heartbeats - before.heartbeats, c.queries - before.queries}
}
