package store

import (
	"encoding/binary"
	"math/bits"
)

// maskSize is the length of the mask of set cells that a record begins with.
const maskSize = 8

const dayMillis = 24 * 60 * 60 * 1000

// appendRecord appends a row: an 8-byte mask of the set cells, then each set
// cell in slot order. A text is a uvarint h followed by h>>1 bytes or, when h
// is odd, the dictionary's word h>>1. A checkbox is one byte. A date is a
// varint of days<<1 or, when it has a time of day, of milliseconds<<1|1.
// word gives a text's place in the slot's dictionary, if it has one.
func appendRecord(dst []byte, cells []Value, word func(slot int, raw string) (uint32, bool)) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	var mask uint64
	for i, v := range cells {
		if !v.Set {
			continue
		}
		mask |= 1 << i
		switch v.Kind {
		case KindCheckbox:
			dst = append(dst, byte(v.At))
		case KindCalendarDate, KindFixedTimestamp:
			if v.At%dayMillis == 0 {
				dst = binary.AppendVarint(dst, v.At/dayMillis<<1)
			} else {
				dst = binary.AppendVarint(dst, v.At<<1|1)
			}
		default:
			if place, ok := word(i, v.Text); ok {
				dst = binary.AppendUvarint(dst, uint64(place)<<1|1)
				continue
			}
			dst = binary.AppendUvarint(dst, uint64(len(v.Text))<<1)
			dst = append(dst, v.Text...)
		}
	}
	binary.LittleEndian.PutUint64(dst[at:], mask)
	return dst
}

// noWord keeps every text in the record itself, as edits do: dictionaries are
// shared between versions and do not grow.
func noWord(int, string) (uint32, bool) { return 0, false }

// Record reads the cells of one row without allocating.
type Record struct {
	data  string // from the record's mask to the end of its chunk
	slots []slot
	mask  uint64
}

func openRecord(chunks []string, slots []slot, row Row) Record {
	data := chunks[row.chunk][row.offset:]
	var mask uint64
	for i := range maskSize {
		mask |= uint64(data[i]) << (8 * i)
	}
	return Record{data: data, slots: slots, mask: mask}
}

// Cell returns the cell of a slot.
func (r *Record) Cell(slot int) Value {
	if !r.set(slot) {
		return Value{}
	}
	pos := maskSize
	for before := r.mask & (1<<slot - 1); before != 0; before &= before - 1 {
		pos = r.skip(r.slots[bits.TrailingZeros64(before)].kind, pos)
	}
	return r.cellAt(slot, pos)
}

func (r *Record) set(slot int) bool { return r.mask>>slot&1 == 1 }

// cellAt reads the cell of a slot that lies at pos.
func (r *Record) cellAt(slot, pos int) Value {
	v := Value{Kind: r.slots[slot].kind, Set: true}
	switch v.Kind {
	case KindCheckbox:
		v.At = int64(r.data[pos])
	case KindCalendarDate, KindFixedTimestamp:
		u, _ := r.uvarint(pos)
		v.At = unzigzag(u)
	default:
		h, pos := r.uvarint(pos)
		if h&1 == 1 {
			v.Text = r.slots[slot].words[h>>1].raw
		} else {
			v.Text = r.data[pos : pos+int(h>>1)]
		}
	}
	return v
}

// skip returns the position behind the cell of this kind at pos.
func (r *Record) skip(k Kind, pos int) int {
	if k == KindCheckbox {
		return pos + 1
	}
	h, pos := r.uvarint(pos)
	if k == KindCalendarDate || k == KindFixedTimestamp || h&1 == 1 {
		return pos
	}
	return pos + int(h>>1)
}

// uvarint reads an unsigned varint at pos and returns the position behind it.
// binary.Uvarint takes bytes, and a record is a string.
func (r *Record) uvarint(pos int) (uint64, int) {
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

// unzigzag turns the uvarint of a date cell into milliseconds since 1970.
func unzigzag(u uint64) int64 {
	x := int64(u>>1) ^ -int64(u&1)
	if x&1 == 1 {
		return x >> 1
	}
	return (x >> 1) * dayMillis
}
