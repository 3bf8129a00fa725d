package cleaning

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// The kinds of a change, in order of precedence.
const (
	ChangeOpened   = "opened"   // a row that was not there
	ChangeClosed   = "closed"   // it was open
	ChangeReopened = "reopened" // it was not
	ChangeMoved    = "moved"    // a path of the spec's events.moved changed
	ChangeRenamed  = "renamed"  // a path of events.renamed did
	ChangeUpdated  = "updated"  // anything else that is not silent, and nothing of the above
)

// The causes of a change.
const (
	CauseSource = "source" // the portal's row changed
	CauseRules  = "rules"  // only the spec or a cleaning rule did
	CauseSchema = "schema" // only columns that came to the portal or vanished from it
)

// Explainer says what it means that a row's document changed. It is safe for concurrent use.
type Explainer struct {
	c          *Cleaner // only what New prepared
	marks      []mark   // by field
	silent     []string
	cameOrWent []bool // by column
	unmapped   []bool // by column: the former spec did not know it

	scratch sync.Pool // of *[2]content
}

type mark uint8

const (
	silent mark = 1 << iota
	moved
	renamed
)

// NewExplainer prepares explanations of documents that the spec made. cameOrWent are the columns that only one of
// the crawls, the last and this one, found on the portal.
func NewExplainer(spec *dataset.Spec, cameOrWent []string) (*Explainer, error) {
	c, err := New(spec)
	if err != nil {
		return nil, err
	}
	e := &Explainer{
		c: c, marks: make([]mark, len(c.fields)), silent: spec.Silent,
		cameOrWent: make([]bool, len(c.names)), unmapped: make([]bool, len(c.names)),
	}
	for i, f := range c.fields {
		for m, paths := range map[mark][]string{silent: spec.Silent, moved: spec.Events.Moved, renamed: spec.Events.Renamed} {
			if slices.Contains(paths, f.Path) {
				e.marks[i] |= m
			}
		}
	}
	for i, name := range c.names {
		e.cameOrWent[i] = slices.Contains(cameOrWent, name)
	}
	e.scratch.New = func() any { return new([2]content) }
	return e, nil
}

// Before names the columns that the former spec mapped; Profile.Missing of the last run has them. What a column
// brings that it did not know is the new spec's doing, not the portal's. Call it before the first Explain.
func (e *Explainer) Before(mapped []string) {
	for i, name := range e.c.names {
		e.unmapped[i] = !slices.Contains(mapped, name)
	}
}

// Explain says what it means that a row's canonical document old became new; old is nil for a new row. sameSpec
// says that the same spec and rules made both. kinds are in order of precedence; there are none when only silent
// fields differ. Where an older spec made old, what cannot be understood of it counts as that spec's doing.
// The error says that a document is not BSON, or that new is none of this spec.
func (e *Explainer) Explain(old, new bson.Raw, sameSpec bool) (kinds []string, cause string, err error) {
	both, _ := e.scratch.Get().(*[2]content)
	defer e.scratch.Put(both)
	before, after := &both[0], &both[1]
	if err := e.c.readDocument(after, new); err != nil {
		return nil, "", fmt.Errorf("new document: %w", err)
	}
	if old == nil {
		if after.isOpen(false) {
			return []string{ChangeOpened, ChangeClosed}, CauseSource, nil
		}
		return []string{ChangeOpened}, CauseSource, nil
	}
	if err := e.c.readDocument(before, old); err != nil {
		return nil, "", fmt.Errorf("old document: %w", err)
	}
	if kinds = e.kinds(before, after); kinds == nil {
		return nil, "", nil
	}
	cause, err = e.cause(before, after, sameSpec)
	return kinds, cause, err
}

// kinds are the kinds of the differences between two documents.
func (e *Explainer) kinds(before, after *content) []string {
	var changed mark
	other := !before.facets.equal(after.facets) || !before.quality.equal(after.quality) || !before.source.equal(after.source)
	for i := range before.fields {
		if m := e.marks[i]; !before.fields[i].equal(after.fields[i]) {
			changed |= m
			other = other || m == 0
		}
	}
	for _, s := range before.strange {
		other = other || !e.isSilent(s)
	}
	var kinds []string
	if before.isOpen(true) && after.isOpen(false) {
		kinds = append(kinds, ChangeClosed)
	}
	if before.isOpen(false) && after.isOpen(true) {
		kinds = append(kinds, ChangeReopened)
	}
	if changed&moved != 0 {
		kinds = append(kinds, ChangeMoved)
	}
	if changed&renamed != 0 {
		kinds = append(kinds, ChangeRenamed)
	}
	if kinds == nil && other {
		kinds = append(kinds, ChangeUpdated)
	}
	return kinds
}

// isSilent says whether a value that the spec no longer keeps was a silent one.
func (e *Explainer) isSilent(s stranger) bool {
	return slices.ContainsFunc(e.silent, func(path string) bool {
		if len(s.group) == 0 {
			return path == string(s.name)
		}
		return len(path) == len(s.group)+1+len(s.name) && path[:len(s.group)] == string(s.group) && path[len(s.group)] == '.' && path[len(s.group)+1:] == string(s.name)
	})
}

// cause compares the source rows that the two documents rebuild, field by field where they differ.
func (e *Explainer) cause(before, after *content, sameSpec bool) (string, error) {
	if sameSpec && !slices.Contains(e.cameOrWent, true) {
		return CauseSource, nil
	}
	schema := false
	for i := range e.c.fields {
		f := &e.c.fields[i]
		if f.copy >= 0 || f.silent || before.says(after, f, i) {
			continue
		}
		is, err := f.rebuild(i, after)
		if err != nil {
			return "", fmt.Errorf("new document: %s: %w", f.Path, err)
		}
		was, err := f.rebuild(i, before)
		if !sameSpec && (err != nil || before.saidElsewhere(f, i, was, after, is)) {
			continue
		}
		for j, column := range f.columns {
			switch {
			case err == nil && bytes.Equal(was[j], is[j]):
			case e.cameOrWent[column]:
				schema = true
			case sameSpec || !e.unmapped[column]:
				return CauseSource, nil
			}
		}
	}
	switch {
	case schema:
		return CauseSchema, nil
	case !sameSpec:
		return CauseRules, nil
	}
	return CauseSource, nil
}

// says whether two documents say the same of a field, byte by byte.
func (d *content) says(other *content, f *field, i int) bool {
	return d.fields[i].equal(other.fields[i]) && !slices.ContainsFunc(f.columns, func(column int) bool {
		return !d.originals[column].equal(other.originals[column])
	})
}

// saidElsewhere says whether d, made by an older spec, said of a field what the other document says, but at another
// path or of another of the field's columns: without an original, a value is that of the column its spec preferred.
func (d *content) saidElsewhere(f *field, i int, was []jsontext.Value, other *content, is []jsontext.Value) bool {
	if slices.ContainsFunc(f.columns, func(column int) bool { return d.originals[column].kind != 0 }) {
		return false
	}
	if d.fields[i].kind == 0 {
		return slices.ContainsFunc(d.strange, func(s stranger) bool { return s.equal(other.fields[i]) })
	}
	some := slices.DeleteFunc(slices.Clone(is), func(v jsontext.Value) bool { return v == nil })
	return len(some) == 1 && bytes.Equal(some[0], was[0])
}
