package socratatest

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxSlots bounds the columns a table can ever have had, dropped ones included: a record's null mask is one uint64.
const maxSlots = 64

// maxWords bounds the dictionary of one column. Columns with few distinct values (cities, zips, codes) fit whole;
// in the others the first values take the places, which costs a few hundred kilobytes.
const maxWords = 8192

// chunkSize is the slab's unit of allocation: large enough that chunks are few, small enough to waste little.
const chunkSize = 1 << 20

// kind is a column's data type as the portal names it.
type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindCheckbox
	kindCalendarDate
	kindPoint
	kindLocation       // an older nested object, kept as the JSON it came as
	kindFixedTimestamp // system columns only
)

// String is the dataTypeName in the portal's metadata.
func (k kind) String() string {
	return [...]string{"text", "number", "checkbox", "calendar_date", "point", "location", "fixed_timestamp"}[k]
}

// value is one cell. The zero value is null.
type value struct {
	kind kind
	set  bool
	text string // text, number as written, point as "longitude,latitude", location as JSON
	at   int64  // milliseconds since 1970 for dates; 0 or 1 for checkboxes
}

func textValue(s string) value { return value{kind: kindText, set: true, text: s} }

func numberValue(s string) value { return value{kind: kindNumber, set: true, text: s} }

func boolValue(b bool) value {
	v := value{kind: kindCheckbox, set: true}
	if b {
		v.at = 1
	}
	return v
}

func dateValue(t time.Time) value {
	return value{kind: kindCalendarDate, set: true, at: t.UnixMilli()}
}

// number reads a number's text; what is no number sorts as 0.
func (v value) number() float64 {
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil {
		return 0
	}
	return f
}

// compareValues orders two set values of one kind: text by bytes, numbers by size, dates by time, false before true. A
// portal may order text otherwise: see snapshot.compare.
func compareValues(a, b value) int {
	switch a.kind {
	case kindNumber:
		return cmp.Compare(a.number(), b.number())
	case kindCheckbox, kindCalendarDate, kindFixedTimestamp:
		return cmp.Compare(a.at, b.at)
	default:
		return strings.Compare(a.text, b.text)
	}
}

// word is one dictionary entry, ready to be copied into an answer.
type word struct{ raw, quoted string }

// slot is the place of a column in every record. A column that is blanked gets a fresh slot, so that old records
// need not be rewritten.
type slot struct {
	kind  kind
	words []word
}

// column is what a reader of the dataset sees.
type column struct {
	name, title string
	kind        kind
	slot        int    // place in the records; -1 when every row has the same value
	same        *value // the value of every row when slot is -1
}

// entry points at one row's record and says when the row was created and changed, as indexes into the versions.
type entry struct {
	chunk, offset    uint32
	seq              uint32
	created, updated uint32
}

// Table is an immutable set of rows, held compactly: one record of about 200 bytes for a row of the register. Several
// portals may serve one Table.
type Table struct {
	columns []column
	slots   []slot
	chunks  []string
	rows    []entry
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Columns lists the field names in order.
func (t *Table) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// builder appends rows to a new Table.
type builder struct {
	table *Table
	index []map[string]uint32 // per slot: dictionary word to its place
	chunk []byte
}

// newBuilder lays out one slot per column, save for those whose value is the same in every row.
func newBuilder(columns []column) (*builder, error) {
	b := &builder{table: &Table{}}
	for _, c := range columns {
		c.slot = -1
		if c.same == nil {
			c.slot = len(b.table.slots)
			b.table.slots = append(b.table.slots, slot{kind: c.kind})
			b.index = append(b.index, map[string]uint32{})
		}
		b.table.columns = append(b.table.columns, c)
	}
	if len(b.table.slots) > maxSlots {
		return nil, fmt.Errorf("%d columns: at most %d are supported", len(b.table.slots), maxSlots)
	}
	return b, nil
}

// add appends a row; cells are by slot.
func (b *builder) add(cells []value) {
	start := len(b.chunk)
	b.chunk = appendRecord(b.chunk, cells, b.word)
	b.table.rows = append(b.table.rows, entry{
		chunk: uint32(len(b.table.chunks)), offset: uint32(start), seq: uint32(len(b.table.rows)),
	})
	if len(b.chunk) >= chunkSize {
		b.flush()
	}
}

func (b *builder) flush() {
	b.table.chunks = append(b.table.chunks, string(b.chunk))
	b.chunk = b.chunk[:0]
}

// word finds or makes a dictionary place for a cell's text; ok is false when the dictionary is full.
func (b *builder) word(slot int, raw string) (place uint32, ok bool) {
	place, ok = b.index[slot][raw]
	if ok || len(b.table.slots[slot].words) >= maxWords {
		return place, ok
	}
	s := &b.table.slots[slot]
	raw = strings.Clone(raw)
	place = uint32(len(s.words))
	s.words = append(s.words, word{raw: raw, quoted: string(appendCell(nil, s.kind, raw))})
	b.index[slot][raw] = place
	return place, true
}

// done gives the finished table; the builder must not be used afterwards.
func (b *builder) done() *Table {
	b.flush()
	b.table.rows = slices.Clip(b.table.rows)
	return b.table
}

// appendRecord writes a row: an 8-byte mask of the set cells, then each set cell in slot order. Texts are a uvarint h
// followed by h>>1 bytes, or, when h is odd, the dictionary word h>>1; checkboxes one byte; dates a varint of days<<1,
// or of milliseconds<<1|1 when they have a time of day.
func appendRecord(dst []byte, cells []value, word func(slot int, raw string) (uint32, bool)) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	var mask uint64
	for i, v := range cells {
		if !v.set {
			continue
		}
		mask |= 1 << i
		switch v.kind {
		case kindCheckbox:
			dst = append(dst, byte(v.at))
		case kindCalendarDate, kindFixedTimestamp:
			const day = 24 * 60 * 60 * 1000
			if v.at%day == 0 {
				dst = binary.AppendVarint(dst, v.at/day<<1)
			} else {
				dst = binary.AppendVarint(dst, v.at<<1|1)
			}
		default:
			if place, ok := word(i, v.text); ok {
				dst = binary.AppendUvarint(dst, uint64(place)<<1|1)
				continue
			}
			dst = binary.AppendUvarint(dst, uint64(len(v.text))<<1)
			dst = append(dst, v.text...)
		}
	}
	binary.LittleEndian.PutUint64(dst[at:], mask)
	return dst
}

// noWord keeps every text in the record itself: what edits write, since dictionaries are shared and frozen.
func noWord(int, string) (uint32, bool) { return 0, false }

// record reads cells of one row without allocating.
type record struct {
	data  string // from the record's mask to the end of its chunk
	slots []slot
	mask  uint64
}

func openRecord(chunks []string, slots []slot, e entry) record {
	data := chunks[e.chunk][e.offset:]
	var mask uint64
	for i := range 8 {
		mask |= uint64(data[i]) << (8 * i)
	}
	return record{data: data, slots: slots, mask: mask}
}

// uvarint reads an unsigned varint at pos and returns the position behind it. The bytes were written by appendRecord.
func (r *record) uvarint(pos int) (uint64, int) {
	var x uint64
	for shift := 0; ; shift += 7 {
		c := r.data[pos]
		pos++
		if c < 0x80 {
			return x | uint64(c)<<shift, pos
		}
		x |= uint64(c&0x7f) << shift
	}
}

// skip returns the position behind the cell of this kind at pos.
func (r *record) skip(k kind, pos int) int {
	if k == kindCheckbox {
		return pos + 1
	}
	h, pos := r.uvarint(pos)
	if k == kindCalendarDate || k == kindFixedTimestamp || h&1 == 1 {
		return pos
	}
	return pos + int(h>>1)
}

// position is where the cell of a slot lies; ok is false when it is null.
func (r *record) position(slot int) (pos int, ok bool) {
	if r.mask>>slot&1 == 0 {
		return 0, false
	}
	pos = 8
	for before := r.mask & (1<<slot - 1); before != 0; before &= before - 1 {
		pos = r.skip(r.slots[bits.TrailingZeros64(before)].kind, pos)
	}
	return pos, true
}

// cell reads the cell of a slot.
func (r *record) cell(slot int) value {
	pos, ok := r.position(slot)
	if !ok {
		return value{}
	}
	return r.cellAt(slot, pos)
}

// cellAt reads the cell of a slot that lies at pos.
func (r *record) cellAt(slot, pos int) value {
	v := value{kind: r.slots[slot].kind, set: true}
	switch v.kind {
	case kindCheckbox:
		v.at = int64(r.data[pos])
	case kindCalendarDate, kindFixedTimestamp:
		u, _ := r.uvarint(pos)
		v.at = unzigzag(u)
	default:
		h, pos := r.uvarint(pos)
		if h&1 == 1 {
			v.text = r.slots[slot].words[h>>1].raw
		} else {
			v.text = r.data[pos : pos+int(h>>1)]
		}
	}
	return v
}

// unzigzag turns the uvarint of a date cell into milliseconds since 1970.
func unzigzag(u uint64) int64 {
	x := int64(u>>1) ^ -int64(u&1)
	if x&1 == 1 {
		return x >> 1
	}
	return (x >> 1) * (24 * 60 * 60 * 1000)
}

// appendAll renders the set cells of a record, each behind its prefix `,"name":`; slots without a prefix are left out.
func (r *record) appendAll(dst []byte, prefixes []string) []byte {
	pos := 8
	for mask := r.mask; mask != 0; mask &= mask - 1 {
		s := bits.TrailingZeros64(mask)
		prefix := prefixes[s]
		if prefix == "" {
			pos = r.skip(r.slots[s].kind, pos)
			continue
		}
		dst = append(dst, prefix...)
		switch k := r.slots[s].kind; k {
		case kindCheckbox:
			dst = strconv.AppendBool(dst, r.data[pos] == 1)
			pos++
		case kindCalendarDate, kindFixedTimestamp:
			var u uint64
			u, pos = r.uvarint(pos)
			dst = appendDate(dst, k, unzigzag(u))
		default:
			var h uint64
			h, pos = r.uvarint(pos)
			if h&1 == 1 {
				dst = append(dst, r.slots[s].words[h>>1].quoted...)
			} else {
				end := pos + int(h>>1)
				dst = appendCell(dst, k, r.data[pos:end])
				pos = end
			}
		}
	}
	return dst
}

// appendValue renders one set value as the portal's JSON does.
func appendValue(dst []byte, v value) []byte {
	switch v.kind {
	case kindCheckbox:
		return strconv.AppendBool(dst, v.at == 1)
	case kindCalendarDate, kindFixedTimestamp:
		return appendDate(dst, v.kind, v.at)
	default:
		return appendCell(dst, v.kind, v.text)
	}
}

// appendCell renders a cell that is held as text.
func appendCell(dst []byte, k kind, text string) []byte {
	switch k {
	case kindPoint:
		dst = append(dst, `{"type":"Point","coordinates":[`...)
		dst = append(dst, text...)
		return append(dst, "]}"...)
	case kindLocation:
		return append(dst, text...)
	default:
		return appendQuoted(dst, text)
	}
}

// appendQuoted writes a JSON string. The text is valid UTF-8: everything that enters a table is made so.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendDate writes "2014-10-13T00:00:00.000", with a Z when it is a fixed timestamp.
func appendDate(dst []byte, k kind, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	digits := func(n, width int) {
		for p := pow10[width-1]; p > 0; p /= 10 {
			dst = append(dst, byte('0'+n/p%10))
		}
	}
	dst = append(dst, '"')
	digits(year, 4)
	dst = append(dst, '-')
	digits(int(month), 2)
	dst = append(dst, '-')
	digits(day, 2)
	dst = append(dst, 'T')
	digits(hour, 2)
	dst = append(dst, ':')
	digits(minute, 2)
	dst = append(dst, ':')
	digits(second, 2)
	dst = append(dst, '.')
	digits(t.Nanosecond()/1e6, 3)
	if k == kindFixedTimestamp {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}

var pow10 = [...]int{1, 10, 100, 1000}

// Layouts of dates that are accepted in files, edits and queries, the portal's own first.
var dateLayouts = [...]string{
	"2006-01-02T15:04:05.000", "2006-01-02", "2006-01-02T15:04:05", "01/02/2006", "01/02/2006 03:04:05 PM", time.RFC3339,
}

// parseDate reads a date without a zone; years outside 1 to 9999 are refused.
func parseDate(s string) (value, bool) {
	for _, layout := range dateLayouts {
		t, err := time.Parse(layout, s)
		if err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			return dateValue(t), true
		}
	}
	return value{}, false
}

// parseNumber accepts plain decimals, with or without an exponent.
func parseNumber(s string) (value, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, "xX_") {
		return value{}, false
	}
	return numberValue(s), true
}

// parsePoint accepts "POINT (-122.4 37.7)", longitude first, and "(37.7, -122.4)", latitude first, of older exports.
func parsePoint(s string) (value, bool) {
	if latitude, longitude, ok := strings.Cut(strings.Trim(s, "()"), ","); ok {
		return pointValue(strings.TrimSpace(longitude), strings.TrimSpace(latitude))
	}
	inner, ok := strings.CutPrefix(strings.ToUpper(s), "POINT")
	if !ok {
		return value{}, false
	}
	fields := strings.Fields(strings.Trim(strings.TrimSpace(inner), "()"))
	if len(fields) != 2 {
		return value{}, false
	}
	return pointValue(fields[0], fields[1])
}

// pointValue makes a point of two numbers given as text.
func pointValue(longitude, latitude string) (value, bool) {
	lon, err := strconv.ParseFloat(longitude, 64)
	if err != nil {
		return value{}, false
	}
	lat, err := strconv.ParseFloat(latitude, 64)
	if err != nil || math.IsInf(lon*lat, 0) || math.IsNaN(lon*lat) {
		return value{}, false
	}
	b := strconv.AppendFloat(nil, lon, 'f', -1, 64)
	b = append(b, ',')
	return value{kind: kindPoint, set: true, text: string(strconv.AppendFloat(b, lat, 'f', -1, 64))}, true
}

// toValue makes a cell of a Go value as found in decoded JSON or given by a test: nil, string, bool, numbers,
// time.Time, and for points GeoJSON, {latitude, longitude} or [2]float64{longitude, latitude}.
func toValue(k kind, x any) (value, error) {
	if x == nil {
		return value{}, nil
	}
	if k == kindLocation {
		raw, err := json.Marshal(x)
		if err != nil {
			return value{}, err
		}
		return value{kind: k, set: true, text: string(raw)}, nil
	}
	if v, ok := toTyped(k, x); ok {
		return v, nil
	}
	return value{}, fmt.Errorf("%v (%T) is no %s", x, x, k)
}

func toTyped(k kind, x any) (value, bool) {
	switch x := x.(type) {
	case string:
		x = strings.ToValidUTF8(x, string(utf8.RuneError))
		switch k {
		case kindText:
			return textValue(x), true
		case kindNumber:
			return parseNumber(x)
		case kindCheckbox:
			b, err := strconv.ParseBool(x)
			return boolValue(b), err == nil
		case kindCalendarDate:
			return parseDate(x)
		case kindPoint:
			return parsePoint(x)
		default: // not read from text
		}
	case bool:
		return boolValue(x), k == kindCheckbox
	case int:
		return toTyped(k, strconv.Itoa(x))
	case float64:
		return toTyped(k, strconv.FormatFloat(x, 'f', -1, 64))
	case time.Time:
		y, m, d := x.Date()
		return dateValue(time.Date(y, m, d, x.Hour(), x.Minute(), x.Second(), x.Nanosecond(), time.UTC)), k == kindCalendarDate
	case [2]float64:
		if k == kindPoint {
			return pointValue(fmt.Sprint(x[0]), fmt.Sprint(x[1]))
		}
	case map[string]any:
		if k != kindPoint {
			return value{}, false
		}
		if pair, ok := x["coordinates"].([]any); ok && len(pair) == 2 {
			return pointValue(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
		}
		return pointValue(fmt.Sprint(x["longitude"]), fmt.Sprint(x["latitude"]))
	}
	return value{}, false
}

// fromValue is the inverse of toValue: what decoding the portal's JSON gives.
func fromValue(v value) any {
	switch v.kind {
	case kindCheckbox:
		return v.at == 1
	case kindPoint:
		lon, lat, _ := strings.Cut(v.text, ",")
		return map[string]any{
			"type": "Point", "coordinates": []any{numberValue(lon).number(), numberValue(lat).number()},
		}
	case kindCalendarDate, kindFixedTimestamp:
		quoted := appendDate(nil, v.kind, v.at)
		return string(quoted[1 : len(quoted)-1])
	case kindLocation:
		var x any
		if json.Unmarshal([]byte(v.text), &x) != nil {
			return v.text
		}
		return x
	default:
		return strings.Clone(v.text)
	}
}
