package socratatest

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// snapshot is one version of the dataset, as one copy of it serves it. It is never changed once published: an edit
// makes the next one, so that an answer in flight stays consistent.
type snapshot struct {
	seed     uint64
	collate  func(a, b string) int // the order of texts; nil: their bytes
	version  uint32                // index into versions
	versions []time.Time           // when each version so far was published; one-second steps at least
	schemaAt time.Time             // when the columns last changed

	columns []column
	slots   []slot
	chunks  []string

	keySlot    int     // the key's slot in the records
	rows       []entry // the rows that have a key, in key order
	keyless    []entry
	duplicates int    // rows beyond the first for their key
	floor      uint32 // version of the last full replace: no row's system columns are older
	nextSeq    uint32
}

// newSnapshot sorts a table's rows by their key.
func newSnapshot(t *Table, o Options) (*snapshot, error) {
	updated := o.Updated.UTC().Truncate(time.Second)
	s := &snapshot{
		seed: o.Seed, collate: o.Collate, versions: []time.Time{updated}, schemaAt: updated,
		columns: t.columns, slots: t.slots, chunks: slices.Clip(t.chunks), nextSeq: uint32(len(t.rows)), keySlot: -1,
	}
	for _, c := range t.columns {
		if c.name == o.Key {
			s.keySlot = c.slot
		}
	}
	if s.keySlot < 0 {
		return nil, fmt.Errorf("the table has no column %q to be its key; it has %s", o.Key, strings.Join(t.Columns(), ", "))
	}
	s.rows = t.rows
	if keyless := slices.ContainsFunc(t.rows, func(e entry) bool { return !s.key(e).set }); keyless {
		s.rows = nil
		for _, e := range t.rows {
			if s.key(e).set {
				s.rows = append(s.rows, e)
			} else {
				s.keyless = append(s.keyless, e)
			}
		}
	}
	if !slices.IsSortedFunc(s.rows, s.compareKeys) {
		s.rows = slices.Clone(s.rows)
		slices.SortStableFunc(s.rows, s.compareKeys)
	}
	for i := 1; i < len(s.rows); i++ {
		if s.compareKeys(s.rows[i-1], s.rows[i]) == 0 {
			s.duplicates++
		}
	}
	return s, nil
}

func (s *snapshot) len() int { return len(s.rows) + len(s.keyless) }

// published is when this version came out: the Last-Modified of its answers.
func (s *snapshot) published() time.Time { return s.versions[s.version] }

func (s *snapshot) record(e entry) record { return openRecord(s.chunks, s.slots, e) }

func (s *snapshot) key(e entry) value {
	r := s.record(e)
	return r.cell(s.keySlot)
}

// compare orders two set values of one kind as the portal does. Texts that its collation takes for the same come by
// their bytes, so that only equal ones are equal.
func (s *snapshot) compare(a, b value) int {
	if s.collate != nil && a.kind == kindText {
		if c := s.collate(a.text, b.text); c != 0 {
			return c
		}
	}
	return compareValues(a, b)
}

func (s *snapshot) compareKeys(a, b entry) int { return s.compare(s.key(a), s.key(b)) }

// search is the place of the first row whose key is at least k, or, with after, greater than k.
func (s *snapshot) search(k value, after bool) int {
	return sort.Search(len(s.rows), func(i int) bool {
		c := s.compare(s.key(s.rows[i]), k)
		return c > 0 || c == 0 && !after
	})
}

// find gives all rows with a key: none, one, or several when the table holds duplicates.
func (s *snapshot) find(k value) []entry { return s.rows[s.search(k, false):s.search(k, true)] }

func (s *snapshot) column(name string) (column, bool) {
	i := slices.IndexFunc(s.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return s.columns[i], true
}

// sameColumns says whether no edit of columns lies between two versions: such edits clone the list.
func sameColumns(a, b *snapshot) bool {
	return len(a.columns) == len(b.columns) && (len(a.columns) == 0 || &a.columns[0] == &b.columns[0])
}

// cells reads a whole row by slot.
func (s *snapshot) cells(e entry) []value {
	r := s.record(e)
	cells := make([]value, len(s.slots))
	for i := range cells {
		cells[i] = r.cell(i)
	}
	return cells
}

// row gives a row as decoding the portal's answer would: nulls are absent, system columns left out.
func (s *snapshot) row(e entry) map[string]any {
	r := s.record(e)
	row := make(map[string]any, len(s.columns))
	for _, c := range s.columns {
		v := value{}
		if c.same != nil {
			v = *c.same
		} else {
			v = r.cell(c.slot)
		}
		if v.set {
			row[c.name] = fromValue(v)
		}
	}
	return row
}

// The system columns. A full replace gives every row new ones.
var systemColumns = [...]column{
	{name: ":id", kind: kindText},
	{name: ":created_at", kind: kindFixedTimestamp},
	{name: ":updated_at", kind: kindFixedTimestamp},
	{name: ":version", kind: kindText},
}

// system computes a row's system column, by its place in systemColumns.
func (s *snapshot) system(e entry, i int) value {
	created, updated := max(e.created, s.floor), max(e.updated, s.floor)
	switch i {
	case 0:
		return textValue(systemID("row", s.seed, uint64(e.seq), uint64(created)))
	case 1:
		return s.instant(created, e.seq)
	case 2:
		return s.instant(updated, e.seq)
	default:
		return textValue(systemID("rv", s.seed, uint64(e.seq), uint64(updated)+1<<32))
	}
}

// instant is when a row was written at a version. A full replace of the real table takes up to two minutes, so its
// rows lie within the 110 seconds before the version; an edit's row carries the version's own time.
func (s *snapshot) instant(version, seq uint32) value {
	at := s.versions[version].UnixMilli()
	if version == s.floor {
		at -= int64(mix(s.seed, uint64(seq), uint64(version)) % 110_000)
	}
	return value{kind: kindFixedTimestamp, set: true, at: at}
}

// systemID makes an identifier shaped like the portal's, "row-a2b4~c6d8_e0f2".
func systemID(prefix string, seed, a, b uint64) string {
	const letters, separators = "abcdefghijklmnopqrstuvwxyz23456789", "~._-"
	x := mix(seed, a, b)
	y := mix(x, a, b)
	id := make([]byte, 0, 20)
	id = append(append(id, prefix...), '-')
	for i := range 12 {
		if i == 4 || i == 8 {
			id = append(id, separators[y>>40%4])
			y >>= 2
		}
		id = append(id, letters[x%uint64(len(letters))])
		if x /= uint64(len(letters)); i == 5 {
			x = y
		}
	}
	return string(id)
}

// mix hashes three numbers (splitmix64's finalizer): stable over runs and machines.
func mix(a, b, c uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 ^ b*0xbf58476d1ce4e5b9 ^ c*0x94d049bb133111eb
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
