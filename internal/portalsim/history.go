package portalsim

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"padron/internal/portalsim/store"
)

// RowsAt yields the rows of the version that was published at a time, as
// SourceRows does those of the newest. The error says that there is no such
// version, or that it was not kept.
func (p *Portal) RowsAt(version time.Time) (iter.Seq[map[string]any], error) {
	for _, s := range p.kept() {
		if s.Published().Equal(version) {
			return s.All, nil
		}
	}
	return nil, fmt.Errorf("no version of %s is known", version.Format(time.RFC3339))
}

// KeyVersion is what a dataset held for one key from a version on.
type KeyVersion struct {
	Since time.Time
	Rows  []map[string]any // none while there was no such key; several while it was a duplicate
}

// VersionsOf returns what the dataset held for a key through its versions,
// oldest first: one item for each change of the key's rows, columns that came
// or went included. A row that is in none of them was never served.
func (p *Portal) VersionsOf(key string) []KeyVersion {
	var list []KeyVersion
	var last *store.Snapshot
	var rows []store.Row
	for _, s := range p.kept() {
		found := s.Find(key)
		if last != nil && s.SameColumns(last) && slices.Equal(found, rows) {
			continue
		}
		last, rows = s, found
		v := KeyVersion{Since: s.Published()}
		for _, row := range found {
			v.Rows = append(v.Rows, s.Decoded(row))
		}
		if len(list) == 0 && len(v.Rows) == 0 || len(list) > 0 && reflect.DeepEqual(list[len(list)-1].Rows, v.Rows) {
			continue
		}
		list = append(list, v)
	}
	return list
}

// kept lists the versions that are known, oldest first.
func (p *Portal) kept() []*store.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.history == nil {
		return []*store.Snapshot{p.truth}
	}
	return slices.Clip(p.history)
}
