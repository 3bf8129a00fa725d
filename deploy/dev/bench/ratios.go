package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fullCrawls begins the names of the lines of crawls after the first load.
const fullCrawls = "full crawl"

// ratio is a number of a benchmark that a faster or slower machine leaves as it
// is: a time or processor time in relation to the raw insert of the same run, or
// a count.
type ratio struct {
	Name  string  `json:"name"` // "full crawl, unchanged: database CPU"
	Value float64 `json:"value"`
}

// ratios are all that a report has of the lines that ran the product.
func (r *Report) ratios() []ratio {
	raw, ok := r.line(lineIndexed)
	if !ok || raw.Seconds == 0 || raw.CPU.database() == 0 {
		return nil
	}
	rawCPU := raw.CPU.database() + raw.CPU.Bench
	var all []ratio
	crawled := map[string]float64{} // the fastest of each activity in the crawls after the first load
	for _, m := range r.Lines {
		if len(m.Fastest) == 0 {
			continue // a raw limit
		}
		add := func(value float64, format string, args ...any) {
			all = append(all, ratio{m.Name + ": " + fmt.Sprintf(format, args...), value})
		}
		rows := float64(r.Rows)
		if m.Windows > 0 {
			rows = float64(m.Windows) // what a backfill's work grows with
		}
		add(m.Seconds/raw.Seconds, "time")
		add(m.CPU.database()/rawCPU, "database CPU")
		add(m.CPU.Worker/rawCPU, "worker CPU")
		add(float64(m.WorkerPeak)/(1<<20), "worker MiB")
		add(float64(total(m.Commands)), "MongoDB commands")
		add(float64(m.MongoSent)/rows, "MongoDB bytes sent")
		add(float64(m.MongoReceived)/rows, "MongoDB bytes received")
		add(float64(m.Portal.Requests), "portal requests")
		add(float64(m.Portal.Bytes)/rows, "portal bytes")
		add(float64(m.Events), "Temporal events")
		add(float64(total(m.Actions)-m.Actions["heartbeat"]-m.Actions["query"]), "actions")
		for _, name := range slices.Sorted(maps.Keys(m.Fastest)) {
			took := m.Fastest[name] / raw.Seconds
			add(took, "fastest %s", name)
			if least, seen := crawled[name]; strings.HasPrefix(m.Name, fullCrawls) && (!seen || took < least) {
				crawled[name] = took
			}
		}
	}
	// Of several runs one is likely to be undisturbed.
	for _, name := range slices.Sorted(maps.Keys(crawled)) {
		all = append(all, ratio{fullCrawls + "s: fastest " + name, crawled[name]})
	}
	return all
}
