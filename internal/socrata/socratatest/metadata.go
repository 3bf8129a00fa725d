package socratatest

import (
	"cmp"
	"encoding/json"
	"hash/maphash"
	"maps"
	"math"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// topItems is how many of a column's most frequent values the metadata lists.
const topItems = 20

// contents is what the portal caches about a column; all values are strings, as in its JSON.
type contents struct {
	NonNull     string `json:"non_null"`
	Null        string `json:"null"`
	Count       string `json:"count"`
	Cardinality string `json:"cardinality"`
	Smallest    string `json:"smallest,omitempty"`
	Largest     string `json:"largest,omitempty"`
	Top         []top  `json:"top,omitempty"`
}

type top struct {
	Item  string `json:"item"`
	Count string `json:"count"`
}

type metadataColumn struct {
	ID             int       `json:"id"`
	Name           string    `json:"name"`
	DataTypeName   string    `json:"dataTypeName"`
	FieldName      string    `json:"fieldName"`
	Position       int       `json:"position"`
	RenderTypeName string    `json:"renderTypeName"`
	CachedContents *contents `json:"cachedContents,omitempty"`
}

type metadataLicense struct {
	Name      string `json:"name"`
	TermsLink string `json:"termsLink"`
}

type metadata struct {
	ID               string           `json:"id"`
	Name             string           `json:"name"`
	AssetType        string           `json:"assetType"`
	Attribution      string           `json:"attribution"`
	AttributionLink  string           `json:"attributionLink"`
	Category         string           `json:"category"`
	CreatedAt        int64            `json:"createdAt"`
	Description      string           `json:"description"`
	LicenseID        string           `json:"licenseId"`
	RowsUpdatedAt    int64            `json:"rowsUpdatedAt"`
	ViewLastModified int64            `json:"viewLastModified"`
	ViewType         string           `json:"viewType"`
	Columns          []metadataColumn `json:"columns"`
	License          metadataLicense  `json:"license"`
}

// metadata answers /api/views/{id}.json. It tells of the publisher's version, whatever the copies serve: the portal
// keeps metadata apart from the rows.
func (a *answer) metadata(truth *snapshot) {
	p := a.portal
	modified := truth.published()
	if truth.schemaAt.After(modified) {
		modified = truth.schemaAt
	}
	a.writer.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
	if a.unchanged(truth) {
		return
	}
	m := metadata{
		ID: p.id, Name: p.name, AssetType: "dataset", ViewType: "tabular", Category: "Economy and Community",
		Attribution: "Simulated register", AttributionLink: "https://example.org/register",
		Description: "Simulated rows: no person or business in it is real.",
		CreatedAt:   truth.versions[0].AddDate(-10, 0, 0).Unix(),
		LicenseID:   "PDDL", License: metadataLicense{"Open Data Commons Public Domain Dedication and License", "http://opendatacommons.org/licenses/pddl/1.0/"},
		RowsUpdatedAt: truth.published().Unix(), ViewLastModified: truth.schemaAt.Unix(),
	}
	var cached map[string]*contents
	if !p.noContents {
		cached = p.cachedContents(truth)
	}
	for i, c := range truth.columns {
		m.Columns = append(m.Columns, metadataColumn{
			ID: 1000 + i, Name: c.title, FieldName: c.name, DataTypeName: c.kind.String(), RenderTypeName: c.kind.String(),
			Position: i + 1, CachedContents: cached[c.name],
		})
	}
	text, err := json.Marshal(m)
	if err != nil {
		a.problem(http.StatusInternalServerError, "internal_error", err.Error(), nil)
		return
	}
	a.send(http.StatusOK, "application/json; charset=utf-8", append(text, '\n'))
}

// cachedContents computes the contents of a version once; those of older versions are forgotten.
func (p *Portal) cachedContents(s *snapshot) map[string]*contents {
	p.contentsMu.Lock()
	defer p.contentsMu.Unlock()
	if p.contentsOf != s {
		p.contents, p.contentsOf = s.contents(), s
	}
	return p.contents
}

// tally gathers one slot's contents. Dictionary words are counted by place, other values by their hash, with the
// first row that had each to name it by. Where a dictionary is full there may be millions of other values: those only
// set a bit each, from which their number is estimated within a few thousandths.
type tally struct {
	set, rest         int // all cells; cells counted in bits only
	words             []int
	others            map[uint64]other
	bits              []uint64
	smallest, largest value
	compare           func(a, b value) int
}

// tallyBits is the size of a tally's bitmap: 1 MiB, enough for ten million distinct values.
const tallyBits = 1 << 23

type other struct{ count, row uint32 }

// contents reads all rows once: about two microseconds a row.
func (s *snapshot) contents() map[string]*contents {
	seed := maphash.MakeSeed()
	tallies := make([]tally, len(s.slots))
	for i := range tallies {
		tallies[i] = tally{words: make([]int, len(s.slots[i].words)), others: map[uint64]other{}, compare: s.compare}
		if len(s.slots[i].words) == maxWords {
			tallies[i].bits = make([]uint64, tallyBits/64)
		}
	}
	at := func(i int) entry {
		if i < len(s.rows) {
			return s.rows[i]
		}
		return s.keyless[i-len(s.rows)]
	}
	for i := range s.len() {
		r := s.record(at(i))
		pos := 8
		for slot := range s.slots {
			if r.mask>>slot&1 == 0 {
				continue
			}
			end := r.skip(s.slots[slot].kind, pos)
			tallies[slot].add(&r, slot, pos, end, uint32(i), seed)
			pos = end
		}
	}
	all := map[string]*contents{}
	for _, c := range s.columns {
		if c.same == nil {
			all[c.name] = tallies[c.slot].contents(s.len(), s.slots[c.slot], seed, func(row uint32) value {
				r := s.record(at(int(row)))
				return r.cell(c.slot)
			})
			continue
		}
		n, item := strconv.Itoa(s.len()), plain(*c.same)
		all[c.name] = &contents{
			NonNull: n, Null: "0", Count: n, Cardinality: "1", Smallest: item, Largest: item, Top: []top{{item, n}},
		}
	}
	return all
}

func (t *tally) add(r *record, slot, pos, end int, row uint32, seed maphash.Seed) {
	t.set++
	text := r.data[pos:end]
	if k := r.slots[slot].kind; k != kindCheckbox && k != kindCalendarDate {
		h, start := r.uvarint(pos)
		if h&1 == 1 {
			t.words[h>>1]++
			return
		}
		text = r.data[start:end]
	}
	id := maphash.String(seed, text)
	if t.bits != nil {
		t.rest++
		t.bits[id%tallyBits/64] |= 1 << (id % 64)
		t.bound(r.cellAt(slot, pos))
		return
	}
	seen, ok := t.others[id]
	if !ok {
		seen.row = row
		t.bound(r.cellAt(slot, pos))
	}
	seen.count++
	t.others[id] = seen
}

// estimate is the number of distinct values behind the set bits (linear counting).
func (t *tally) estimate() int {
	zero := tallyBits
	for _, w := range t.bits {
		zero -= bits.OnesCount64(w)
	}
	return min(t.rest, int(math.Round(-tallyBits*math.Log(float64(max(1, zero))/tallyBits))))
}

func (t *tally) bound(v value) {
	if !t.smallest.set || t.compare(v, t.smallest) < 0 {
		t.smallest = v
	}
	if !t.largest.set || t.compare(v, t.largest) > 0 {
		t.largest = v
	}
}

// contents renders a tally; cell reads the slot in a row, to name a value that is only known by its hash.
func (t *tally) contents(rows int, s slot, seed maphash.Seed, cell func(row uint32) value) *contents {
	counts := map[string]int{}
	for i, n := range t.words {
		if n == 0 {
			continue
		}
		// Edits write a value into the record even when the dictionary has it: that is one value, not two.
		raw := s.words[i].raw
		id := maphash.String(seed, raw)
		counts[raw] = n + int(t.others[id].count)
		delete(t.others, id)
		t.bound(value{kind: s.kind, set: true, text: raw})
	}
	distinct := len(counts) + len(t.others) + t.estimate()
	frequent := slices.SortedFunc(maps.Values(t.others), func(a, b other) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.row, b.row))
	})
	for _, o := range frequent[:min(len(frequent), topItems)] {
		counts[plain(cell(o.row))] = int(o.count)
	}
	c := &contents{
		NonNull: strconv.Itoa(t.set), Null: strconv.Itoa(rows - t.set), Count: strconv.Itoa(rows),
		Cardinality: strconv.Itoa(distinct),
	}
	if t.set > 0 {
		c.Smallest, c.Largest = plain(t.smallest), plain(t.largest)
	}
	for item, n := range counts {
		c.Top = append(c.Top, top{item, strconv.Itoa(n)})
	}
	slices.SortFunc(c.Top, func(a, b top) int {
		return cmp.Or(cmp.Compare(counts[b.Item], counts[a.Item]), strings.Compare(a.Item, b.Item))
	})
	c.Top = c.Top[:min(len(c.Top), topItems)]
	return c
}

// plain is a value as text: dates without quotes, points as longitude and latitude.
func plain(v value) string {
	switch v.kind {
	case kindCheckbox:
		return strconv.FormatBool(v.at == 1)
	case kindCalendarDate, kindFixedTimestamp:
		return strings.Trim(string(appendDate(nil, v.kind, v.at)), `"`)
	default:
		return v.text
	}
}
