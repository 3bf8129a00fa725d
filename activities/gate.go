package activities

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/crawl"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// GateInput gives the whole crawl, in key order.
type GateInput struct {
	Run    Run         `json:"run"`
	Job    JobSpec     `json:"job"`
	Before ProbeResult `json:"before"` // count(*), version and columns before the crawl
	Pages  []string    `json:"pages"`  // landing ids of the cleaned pages
	Last   bool        `json:"last"`   // no further crawl will be made
}

// GateResult lets the run write.
type GateResult struct {
	// Again asks for another crawl, After so long: this one was torn.
	Again bool          `json:"again,omitempty"`
	After time.Duration `json:"after,omitempty"`

	Rows       int64  `json:"rows"` // rows of the crawl, quarantined ones included
	Consistent bool   `json:"consistent"`
	Why        string `json:"why,omitempty"` // why the crawl is not consistent
	Ordered    bool   `json:"ordered"`       // keys ascend in the order of bytes

	// Write are the parts of the plan that have something to write, in order.
	Write []int `json:"write"`
	// Unwritten is what is stored in the other parts; nil: it was not counted.
	Unwritten *mirror.Totals `json:"unwritten,omitempty"`

	// CameOrWent are columns that the portal did not have at the last crawl, or
	// has no longer.
	CameOrWent []string `json:"came_or_went,omitempty"`
	// Mapped are the columns that the spec of the last crawl mapped, when it was
	// another spec.
	Mapped []string `json:"mapped,omitempty"`
}

// Gate sees the whole crawl before a single row is written: that it is the
// portal's one version, complete, with no key in two ranges, that no column
// went blank and no large part of the table is gone, and what it would change
// (certificate.Gate). A closed gate ends the run with the reason (GateClosed)
// and leaves the mirror as it was.
//
// A torn crawl (the portal moved while it was read, or a copy lags) is to be
// made again; the last one passes as not consistent, and its run ends unproven.
//
// What the portal itself counts at that moment is kept with the crawl: the
// certificate holds the mirror against it.
func (a *Activities) Gate(ctx context.Context, in GateInput) (GateResult, error) {
	return step(ctx, in, a.gate)
}

func (a *Activities) gate(ctx context.Context, in GateInput) (GateResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return GateResult{}, err
	}
	read := gateReading{gate: certificate.Gate{
		Key: o.spec.Key, Before: in.Before.Rows, Probe: in.Before.Version, Columns: in.Before.Columns,
	}}
	for _, id := range in.Pages {
		page, err := o.pages.Summary(ctx, id)
		if err != nil {
			return GateResult{}, err
		}
		read.add(&page)
	}
	gate := &read.gate
	gate.Documents, gate.MaxQuarantined = read.all.Documents, o.spec.MaxQuarantined.Of(gate.Profile.Rows)
	var last runs.Run // that mirrored
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if !read.counted && !in.Before.Empty {
			if gate.Documents, err = o.database.Count(ctx, mongodb.Businesses); err != nil {
				return err
			}
		}
		if last, err = runs.OrNone(o.runs.LastDone(ctx)); err != nil {
			return err
		}
		green, err := runs.OrNone(o.runs.LastGreen(ctx))
		gate.Last = green.Profile
		return err
	})
	if err != nil {
		return GateResult{}, err
	}
	if in.Job.Name == runs.JobRerun {
		err = a.loadSourceCounts(ctx, o, in.Job.Of, gate)
	} else {
		err = a.askSourceCounts(ctx, o, gate)
	}
	if err != nil {
		return GateResult{}, err
	}

	found := gate.Check()
	if found.Again && !in.Last && in.Job.Name != runs.JobRerun {
		return GateResult{Again: true, After: a.RecrawlAfter, Why: found.Why}, nil
	}
	consistent := found.Proof != ""
	cleaned := in.Run.Started
	if read.passed > 0 {
		cleaned = last.Cleaned
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "gate", Value: certificate.Verdict{Checks: found.Checks}},
			{Key: "version", Value: gate.Probe},
			{Key: "profile", Value: gate.Profile},
			{Key: "cleaned", Value: cleaned},
			{Key: "crawl", Value: certificate.Crawl{
				Rows: gate.Profile.Rows, Clean: gate.Profile.Rows - gate.Quarantined, Quarantined: gate.Quarantined,
				SharedKeys: gate.SharedKeys(), Digest: read.digest, Version: gate.Probe, Consistent: consistent, Proof: found.Proof, Why: found.Why,
				Columns: gate.Columns, SourceCounts: gate.Source,
			}},
		})
	})
	if err != nil {
		return GateResult{}, err
	}
	if failed := certificate.Failed(found.Checks); len(failed) > 0 {
		return GateResult{}, refuse(runs.GateClosed, "nothing was written: "+strings.Join(failed, "; "))
	}
	result := GateResult{Rows: gate.Profile.Rows, Consistent: consistent, Why: found.Why, Ordered: gate.Ordered()}
	result.Write, result.Unwritten = read.toWrite()
	if last.ID != "" {
		result.CameOrWent = difference(last.Crawl.Columns, gate.Columns)
		if last.Spec != in.Run.Spec {
			result.Mapped = slices.Sorted(maps.Keys(last.Profile.Missing))
		}
	}
	return result, nil
}

// gateReading is what the summaries of all cleaned pages add up to.
type gateReading struct {
	gate    certificate.Gate
	digest  lineage.Digest
	parts   []partReading // by part of the plan
	all     mirror.Totals // stored, as far as it was counted
	counted bool          // it was, in every part
	passed  int64         // rows that were passed over
}

// partReading is what the pages of one part say.
type partReading struct {
	work   bool // there is something to write
	stored mirror.Totals
}

func (r *gateReading) add(page *crawl.Summary) {
	if len(r.gate.Pages) == 0 {
		r.counted = true
	}
	r.gate.Pages = append(r.gate.Pages, page.GatePage)
	r.gate.Profile.Add(page.Profile)
	r.gate.Quarantined += int64(page.Quarantined)
	r.passed += int64(page.Passed)
	for reason, n := range page.Reasons {
		r.reasons()[reason] += n
	}
	r.digest.Merge(page.Digest)
	for len(r.parts) <= page.Part {
		r.parts = append(r.parts, partReading{})
	}
	part := &r.parts[page.Part]
	part.work = part.work || page.Work()
	if page.Compared == nil {
		r.gate.New += page.Profile.Rows - int64(page.Quarantined)
		r.counted = r.counted && page.NullKeys
		return
	}
	c := page.Compared
	r.gate.New, r.gate.Changed, r.gate.Missing = r.gate.New+int64(c.New), r.gate.Changed+int64(c.Changed), r.gate.Missing+int64(c.Missing)
	if r.counted = r.counted && c.Stored != nil; c.Stored != nil {
		part.stored.Add(*c.Stored)
		r.all.Add(*c.Stored)
	}
}

// reasons are those of all quarantined rows so far.
func (r *gateReading) reasons() map[string]int {
	if r.gate.Reasons == nil {
		r.gate.Reasons = map[string]int{}
	}
	return r.gate.Reasons
}

// toWrite lists the parts that have something to write, and what is stored in the
// others. Where keys are not in byte order, every part is to be written.
func (r *gateReading) toWrite() (write []int, unwritten *mirror.Totals) {
	ordered := r.gate.Ordered()
	write = []int{}
	var others mirror.Totals
	for i, part := range r.parts {
		if part.work || !ordered {
			write = append(write, i)
		} else {
			others.Add(part.stored)
		}
	}
	if r.counted && ordered {
		unwritten = &others
	}
	return write, unwritten
}

// difference lists the names that are in one of two lists only.
func difference(a, b []string) []string {
	var names []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, name := range pair[0] {
			if !slices.Contains(pair[1], name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// askSourceCounts asks the portal what it counts after the crawl: rows, different
// keys, and rows by the values of the columns that the statistics group by.
func (a *Activities) askSourceCounts(ctx context.Context, o *opened, g *certificate.Gate) error {
	ask := func(f func(context.Context) (socrata.Version, error)) error {
		return a.Portal.Do(ctx, func(ctx context.Context) error {
			v, err := f(ctx)
			if err == nil { // a blip is asked again and says nothing of a version
				g.Recounts = append(g.Recounts, v)
			}
			return err
		})
	}
	err := ask(func(ctx context.Context) (v socrata.Version, err error) {
		g.Source.Rows, v, err = o.portal.Count(ctx, "")
		return v, err
	})
	if err != nil {
		return err
	}
	err = ask(func(ctx context.Context) (v socrata.Version, err error) {
		g.Source.Distinct, v, err = o.portal.CountDistinct(ctx, o.spec.Key)
		return v, err
	})
	if err != nil {
		return err
	}
	for _, column := range grouped(o.spec, g.Columns) {
		group := certificate.Group{Column: column.Column}
		err := ask(func(ctx context.Context) (socrata.Version, error) {
			counts, v, err := o.portal.GroupCounts(ctx, column.Column)
			for _, n := range counts {
				group.Values = append(group.Values, certificate.GroupValue{Value: n.Value, Null: n.Null, Rows: n.Rows})
			}
			return v, err
		})
		if errors.Is(err, socrata.ErrTooManyGroups) {
			continue // not a column to group by, whatever the spec says
		}
		if err != nil {
			return err
		}
		g.Source.Groups = append(g.Source.Groups, group)
	}
	if versions := g.Versions(); versions.Stated() {
		return nil
	}
	metadata, err := a.metadata(ctx, o)
	if err == nil {
		g.Updated = metadata.RowsUpdatedAt
	}
	return err
}

// loadSourceCounts takes what the portal counted when the crawl first passed the
// gate. A crawl that never came so far is not consistent: nothing proves it
// complete.
func (a *Activities) loadSourceCounts(ctx context.Context, o *opened, of string, g *certificate.Gate) error {
	return a.Database.Do(ctx, func(ctx context.Context) error {
		record, err := o.runs.Run(ctx, of)
		if err != nil {
			return err
		}
		if !record.Crawl.Gated() {
			g.Source.Rows, g.Unproven = g.Before, "the portal was not counted after the crawl of run "+of
			return nil
		}
		g.Source, g.Recounts = record.Crawl.SourceCounts, []socrata.Version{record.Crawl.Version}
		g.Updated = record.Crawl.Version.Updated // of a consistent crawl that of before it, too
		if !record.Crawl.Consistent {
			g.Unproven = record.Crawl.Why
		}
		return nil
	})
}
