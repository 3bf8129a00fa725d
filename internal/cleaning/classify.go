package cleaning

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// These are the kinds of a change, in order of precedence.
const (
	ChangeOpened   = "opened"   // a row that was not there
	ChangeClosed   = "closed"   // it was open
	ChangeReopened = "reopened" // it was not
	ChangeMoved    = "moved"    // a path of the spec's events.moved changed
	ChangeRenamed  = "renamed"  // a path of events.renamed did
	ChangeUpdated  = "updated"  // anything else that is not untracked, and nothing of the above
)

// These are the causes of a change.
const (
	CauseSource = "source" // the portal's row changed
	CauseRules  = "rules"  // only the spec or a cleaning rule did
	CauseSchema = "schema" // only columns that came to the portal or vanished from it
)

// Classifier finds the kinds and the cause of a change of a row's document. It
// is safe for concurrent use.
type Classifier struct {
	c          *Cleaner // only what New prepared
	marks      []mark   // by field
	untracked  []string
	cameOrWent []bool // by column
	unmapped   []bool // by column: the previous spec did not know it

	scratch sync.Pool // of *[2]content
}

type mark uint8

const (
	untracked mark = 1 << iota
	moved
	renamed
)

// NewClassifier returns a classifier for documents that the spec made.
// cameOrWent are the columns that were on the portal in only one of two crawls,
// the last one and this one.
func NewClassifier(spec *dataset.Spec, cameOrWent []string) (*Classifier, error) {
	c, err := New(spec)
	if err != nil {
		return nil, err
	}
	k := &Classifier{
		c: c, marks: make([]mark, len(c.fields)), untracked: spec.Untracked,
		cameOrWent: make([]bool, len(c.names)), unmapped: make([]bool, len(c.names)),
	}
	for i, f := range c.fields {
		for m, paths := range map[mark][]string{untracked: spec.Untracked, moved: spec.Events.Moved, renamed: spec.Events.Renamed} {
			if slices.Contains(paths, f.Path) {
				k.marks[i] |= m
			}
		}
	}
	for i, name := range c.names {
		k.cameOrWent[i] = slices.Contains(cameOrWent, name)
	}
	k.scratch.New = func() any { return new([2]content) }
	return k, nil
}

// Before names the columns that the previous spec mapped, as in Profile.Missing
// of the last run. A difference that comes from any other column is caused by
// the new spec, not by the portal. Call Before before the first Classify.
func (k *Classifier) Before(mapped []string) {
	for i, name := range k.c.names {
		k.unmapped[i] = !slices.Contains(mapped, name)
	}
}

// Classify returns the kinds and the cause of the change of a row's canonical
// document from old to new; old is nil for a new row. sameSpec says that the
// same spec and rules made both. kinds are in order of precedence, and empty
// when only untracked fields differ. Where an older spec made old, parts of it
// that cannot be read are taken for an effect of that spec. The error says that
// a document is not BSON, or that this spec did not make new.
func (k *Classifier) Classify(old, new bson.Raw, sameSpec bool) (kinds []string, cause string, err error) {
	both, _ := k.scratch.Get().(*[2]content)
	defer k.scratch.Put(both)
	before, after := &both[0], &both[1]
	if err := k.c.readDocument(after, new); err != nil {
		return nil, "", fmt.Errorf("new document: %w", err)
	}
	if old == nil {
		if after.isOpen(false) {
			return []string{ChangeOpened, ChangeClosed}, CauseSource, nil
		}
		return []string{ChangeOpened}, CauseSource, nil
	}
	if err := k.c.readDocument(before, old); err != nil {
		return nil, "", fmt.Errorf("old document: %w", err)
	}
	if kinds = k.kinds(before, after); kinds == nil {
		return nil, "", nil
	}
	cause, err = k.cause(before, after, sameSpec)
	return kinds, cause, err
}

// kinds returns the kinds of the differences between two documents.
func (k *Classifier) kinds(before, after *content) []string {
	var changed mark
	other := !before.facets.equal(after.facets) || !before.quality.equal(after.quality) || !before.source.equal(after.source)
	for i := range before.fields {
		if m := k.marks[i]; !before.fields[i].equal(after.fields[i]) {
			changed |= m
			other = other || m == 0
		}
	}
	for _, s := range before.strange {
		other = other || !k.isUntracked(s)
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

// isUntracked reports whether a value that the spec no longer keeps is at an
// untracked path.
func (k *Classifier) isUntracked(s stranger) bool {
	return slices.ContainsFunc(k.untracked, func(path string) bool {
		if len(s.group) == 0 {
			return path == string(s.name)
		}
		group, name, nested := strings.Cut(path, ".")
		return nested && group == string(s.group) && name == string(s.name)
	})
}

// cause compares the source rows that are rebuilt from the two documents, field
// by field where these differ.
func (k *Classifier) cause(before, after *content, sameSpec bool) (string, error) {
	if sameSpec && !slices.Contains(k.cameOrWent, true) {
		return CauseSource, nil
	}
	schema := false
	for i := range k.c.fields {
		f := &k.c.fields[i]
		if f.copy >= 0 || f.untracked || before.says(after, f, i) {
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
			case k.cameOrWent[column]:
				schema = true
			case sameSpec || !k.unmapped[column]:
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

// says reports whether two documents hold the same bytes for a field.
func (d *content) says(other *content, f *field, i int) bool {
	return d.fields[i].equal(other.fields[i]) && !slices.ContainsFunc(f.columns, func(column int) bool {
		return !d.originals[column].equal(other.originals[column])
	})
}

// saidElsewhere reports whether d, made by an older spec, has the other
// document's value of a field, but at another path or for another of the
// field's columns. Without an original in source, a value belongs to the column
// that its spec preferred.
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
