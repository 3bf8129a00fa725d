package store

import (
	"math/bits"
	"strconv"
	"time"
)

// AppendJSON appends a set value as the portal's JSON writes it: numbers and
// dates as strings, checkboxes as booleans, points as GeoJSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.Kind {
	case KindCheckbox:
		return strconv.AppendBool(dst, v.At == 1)
	case KindCalendarDate, KindFixedTimestamp:
		return appendDate(dst, v.Kind, v.At)
	default:
		return appendText(dst, v.Kind, v.Text)
	}
}

// AppendJSON appends the set cells of a record in slot order, each behind its
// slot's prefix, as in `,"name":`. Slots without a prefix are left out.
func (r *Record) AppendJSON(dst []byte, prefixes []string) []byte {
	pos := maskSize
	for mask := r.mask; mask != 0; mask &= mask - 1 {
		s := bits.TrailingZeros64(mask)
		prefix := prefixes[s]
		if prefix == "" {
			pos = r.skip(r.slots[s].kind, pos)
			continue
		}
		dst = append(dst, prefix...)
		switch k := r.slots[s].kind; k {
		case KindCheckbox:
			dst = strconv.AppendBool(dst, r.data[pos] == 1)
			pos++
		case KindCalendarDate, KindFixedTimestamp:
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
				dst = appendText(dst, k, r.data[pos:end])
				pos = end
			}
		}
	}
	return dst
}

// appendText appends a cell that is held as text.
func appendText(dst []byte, k Kind, text string) []byte {
	switch k {
	case KindPoint:
		dst = append(dst, `{"type":"Point","coordinates":[`...)
		dst = append(dst, text...)
		return append(dst, "]}"...)
	case KindLocation:
		return append(dst, text...)
	default:
		return AppendQuoted(dst, text)
	}
}

// AppendQuoted appends a JSON string. The text must be valid UTF-8, as all
// texts in a store are.
func AppendQuoted(dst []byte, s string) []byte {
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

// appendDate appends "2014-10-13T00:00:00.000", with a Z when it is a fixed
// timestamp. time.AppendFormat takes almost three times as long, and a page has
// some 200,000 dates.
func appendDate(dst []byte, k Kind, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = appendDigits(dst, year, 1000)
	dst = append(dst, '-')
	dst = appendDigits(dst, int(month), 10)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 10)
	dst = append(dst, 'T')
	dst = appendDigits(dst, hour, 10)
	dst = append(dst, ':')
	dst = appendDigits(dst, minute, 10)
	dst = append(dst, ':')
	dst = appendDigits(dst, second, 10)
	dst = append(dst, '.')
	dst = appendDigits(dst, t.Nanosecond()/1e6, 100)
	if k == KindFixedTimestamp {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}

// appendDigits appends n in as many digits as top, a power of ten, has.
func appendDigits(dst []byte, n, top int) []byte {
	for ; top > 0; top /= 10 {
		dst = append(dst, byte('0'+n/top%10))
	}
	return dst
}
