package socratatest

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"
)

// Past gives the times of all versions so far, oldest first. Only the newest is known without Options.History.
func (p *Portal) Past() []time.Time {
	s := p.snapshots()
	if !p.keepsHistory() {
		return []time.Time{s.published()}
	}
	return slices.Clone(s.versions)
}

// RowsAt yields the rows of the version published at this time, which is the Served of its answers, as SourceRows does
// those of the newest. The error is for a time without a version, or one that was not kept.
func (p *Portal) RowsAt(version time.Time) (iter.Seq[map[string]any], error) {
	for _, s := range p.kept() {
		if s.published().Equal(version) {
			return s.all, nil
		}
	}
	return nil, fmt.Errorf("no version of %s is known", version.Format(time.RFC3339))
}

// KeyVersion is what a dataset held for one key from a version on.
type KeyVersion struct {
	Since time.Time
	Rows  []map[string]any // none while the key was not there; several when it came twice
}

// VersionsOf tells what the dataset held for a key through its versions, oldest first: one item for each change of the
// key's rows, columns that came and went included. A row that is in none of them was never served.
func (p *Portal) VersionsOf(key string) []KeyVersion {
	var list []KeyVersion
	var last *snapshot
	var entries []entry
	for _, s := range p.kept() {
		found := s.findText(key)
		if last != nil && sameColumns(last, s) && slices.Equal(found, entries) {
			continue
		}
		last, entries = s, found
		v := KeyVersion{Since: s.published()}
		for _, e := range found {
			v.Rows = append(v.Rows, s.row(e))
		}
		if len(list) == 0 && len(v.Rows) == 0 || len(list) > 0 && reflect.DeepEqual(list[len(list)-1].Rows, v.Rows) {
			continue
		}
		list = append(list, v)
	}
	return list
}

func (p *Portal) keepsHistory() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.history != nil
}

// kept are the versions that are known, oldest first.
func (p *Portal) kept() []*snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.history == nil {
		return []*snapshot{p.truth}
	}
	return p.history[:len(p.history):len(p.history)]
}

// all yields the rows as decoded JSON, in key order, those without a key last.
func (s *snapshot) all(yield func(map[string]any) bool) {
	for _, rows := range [][]entry{s.rows, s.keyless} {
		for _, e := range rows {
			if !yield(s.row(e)) {
				return
			}
		}
	}
}
