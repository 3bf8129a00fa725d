package soql

import (
	"io"

	"padron/internal/portalsim/store"
)

// flushSize is how many bytes of an answer are gathered before they are
// written.
const flushSize = 32 << 10

// Write renders the answer as the portal frames it, "[{…}\n,{…}]\n", in writes
// of about 32 KiB. The error is the writer's.
func (p *Plan) Write(w io.Writer) error {
	buf := []byte{'['}
	rows := 0
	var failed error
	row := func(render func([]byte) []byte) bool {
		if rows > 0 {
			buf = append(buf, '\n', ',')
		}
		rows++
		start := len(buf)
		buf = render(buf)
		switch {
		case len(buf) == start:
			buf = append(buf, '{', '}')
		case buf[start] == ',':
			buf[start] = '{' // over the first field's comma
			buf = append(buf, '}')
		} // else it is raw
		if len(buf) < flushSize {
			return true
		}
		_, failed = w.Write(buf)
		buf = buf[:0]
		return failed == nil
	}
	if p.grouped {
		for _, values := range p.aggregate() {
			if !row(func(b []byte) []byte { return p.appendGroup(b, values) }) {
				return failed
			}
		}
	} else {
		var current *cursor
		render := func(b []byte) []byte { return p.appendRow(b, current) }
		for c := range p.answer {
			current = c
			if !row(render) {
				return failed
			}
		}
	}
	_, err := w.Write(append(buf, ']', '\n'))
	return err
}

// appendRow appends the fields of a row, each behind a comma, or what stands for
// the row.
func (p *Plan) appendRow(b []byte, c *cursor) []byte {
	if len(p.raw) > 0 && (p.star || len(p.outputs) > 1) {
		if raw, ok := p.raw[c.s.Key(c.row).Text]; ok {
			return append(b, raw...)
		}
	}
	if !p.star {
		for i := range p.outputs {
			if v := p.outputs[i].eval(c); v.Set {
				b = append(b, p.outputs[i].prefix...)
				b = v.AppendJSON(b)
			}
		}
		return b
	}
	if p.system {
		for i := range store.SystemColumns() {
			b = append(b, p.outputs[i].prefix...)
			b = c.s.System(c.row, i).AppendJSON(b)
		}
	}
	b = c.record.AppendJSON(b, p.prefixes)
	columns := c.s.Columns()
	for i := range columns {
		if constant := columns[i].Constant; constant != nil && constant.Set {
			b = append(b, ',', '"')
			b = append(b, columns[i].Name...)
			b = append(b, '"', ':')
			b = constant.AppendJSON(b)
		}
	}
	return b
}

// appendGroup appends the fields of a group, each behind a comma.
func (p *Plan) appendGroup(b []byte, values []store.Value) []byte {
	for _, o := range p.outputs {
		if v := values[o.index]; v.Set {
			b = append(b, o.prefix...)
			b = v.AppendJSON(b)
		}
	}
	return b
}
