package cleaning

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/dataset"
)

// appendDocument writes the row at hand as BSON into c.doc: _id, the fields in
// the order of the spec, facets, quality, source. Fields without a value are
// left out, and so are sub-documents without fields.
func (c *Cleaner) appendDocument() {
	whole, doc := bsoncore.AppendDocumentStart(c.doc[:0])
	doc = bsoncore.AppendStringElement(doc, "_id", c.cells[c.key].text)
	open, at := "", int32(0)
	for i := range c.fields {
		f := &c.fields[i]
		if c.values[i].kind == absent {
			continue
		}
		if f.group != open {
			if open != "" {
				doc = endDocument(doc, at)
			}
			if open = f.group; open != "" {
				at, doc = bsoncore.AppendDocumentElementStart(doc, open)
			}
		}
		doc = appendValue(doc, f.leaf, c.values[i])
	}
	if open != "" {
		doc = endDocument(doc, at)
	}
	doc = c.appendFacets(doc)
	if len(c.found) > 0 {
		at, doc = bsoncore.AppendDocumentElementStart(doc, "quality")
		list, d := bsoncore.AppendArrayElementStart(doc, "flags")
		doc = d
		for i, flag := range c.found {
			doc = bsoncore.AppendStringElement(doc, strconv.Itoa(i), flag)
		}
		doc = endDocument(doc, list)
		doc = endDocument(doc, at)
	}
	open = ""
	for column, kept := range c.kept {
		if !kept {
			continue
		}
		if open == "" {
			open = "source"
			at, doc = bsoncore.AppendDocumentElementStart(doc, open)
		}
		doc = appendOriginal(doc, c.names[column], c.cells[column])
	}
	if open != "" {
		doc = endDocument(doc, at)
	}
	c.doc = endDocument(doc, whole)
}

// endDocument closes the document begun at index start.
func endDocument(doc []byte, start int32) []byte {
	doc = append(doc, 0)
	binary.LittleEndian.PutUint32(doc[start:], uint32(len(doc)-int(start))) // a row is far below 4 GiB
	return doc
}

func appendValue(doc []byte, name string, v value) []byte {
	switch v.kind {
	case text:
		return bsoncore.AppendStringElement(doc, name, v.text)
	case integer:
		if v.integer >= math.MinInt32 && v.integer <= math.MaxInt32 {
			return bsoncore.AppendInt32Element(doc, name, int32(v.integer))
		}
		return bsoncore.AppendInt64Element(doc, name, v.integer)
	case double:
		return bsoncore.AppendDoubleElement(doc, name, v.lon)
	case date:
		return bsoncore.AppendDateTimeElement(doc, name, v.integer)
	case boolean:
		return bsoncore.AppendBooleanElement(doc, name, v.truth)
	case point:
		at, doc := bsoncore.AppendDocumentElementStart(doc, name)
		doc = bsoncore.AppendStringElement(doc, "type", "Point")
		list, doc := bsoncore.AppendArrayElementStart(doc, "coordinates")
		doc = bsoncore.AppendDoubleElement(doc, "0", v.lon)
		doc = bsoncore.AppendDoubleElement(doc, "1", v.lat)
		return endDocument(endDocument(doc, list), at)
	case pointText:
		var buf [64]byte
		wkt := append(buf[:0], "POINT ("...)
		wkt = append(appendCoordinate(wkt, v.lon), ' ')
		wkt = append(appendCoordinate(wkt, v.lat), ')')
		return bsoncore.AppendStringElement(doc, name, string(wkt))
	case absent:
	}
	return doc
}

// appendNumber writes a number as Socrata does.
func appendNumber(dst []byte, v value) []byte {
	if v.kind == integer {
		return strconv.AppendInt(dst, v.integer, 10)
	}
	return appendCoordinate(dst, v.lon)
}

// appendOriginal writes a raw value into source: text and booleans as such,
// anything else as {json: text}, with the names of objects sorted, because
// their order in the row must not matter.
func appendOriginal(doc []byte, column string, from cell) []byte {
	switch from.raw.Kind() {
	case jsontext.KindString:
		return bsoncore.AppendStringElement(doc, column, from.text)
	case jsontext.KindTrue, jsontext.KindFalse:
		return bsoncore.AppendBooleanElement(doc, column, from.raw.Kind() == jsontext.KindTrue)
	default:
		at, doc := bsoncore.AppendDocumentElementStart(doc, column)
		doc = bsoncore.AppendStringElement(doc, "json", string(normalJSON(from.raw)))
		return endDocument(doc, at)
	}
}

// normalJSON returns raw without white space and with the names of objects
// sorted. Numbers stay as they are written.
func normalJSON(raw jsontext.Value) jsontext.Value {
	v := raw.Clone()
	err := v.Canonicalize(
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), jsontext.AllowDuplicateNames(true),
	)
	if err != nil {
		return raw // it was read as JSON before: this cannot be
	}
	return v
}

// appendFacets writes the small precomputed values that statistics and search
// use.
func (c *Cleaner) appendFacets(doc []byte) []byte {
	at, doc := bsoncore.AppendDocumentElementStart(doc, "facets")
	for i, from := range c.plan.facets {
		dimension, v := c.spec.Dimensions[i], c.values[from]
		if dimension.Rule == dataset.RuleSector && v.kind == text {
			if v.text, _, _, _ = industry(v.text); v.text == "" {
				continue
			}
		}
		doc = appendValue(doc, dimension.Name, v)
	}
	kind, end, unclear := c.closing()
	if !unclear {
		doc = bsoncore.AppendBooleanElement(doc, "open", kind == "")
	}
	if start := c.values[c.plan.start]; start.kind == date {
		doc = appendMonth(doc, "start_month", start.integer)
	}
	if end.kind == date {
		doc = appendMonth(doc, "end_month", end.integer)
	}
	if kind != "" {
		doc = bsoncore.AppendStringElement(doc, "closed", kind)
	}
	if c.plan.point >= 0 {
		if p := c.values[c.plan.point]; p.kind == point && c.spec.Box.Contains(p.lon, p.lat) {
			var buf [24]byte
			q, r := c.hexes.cell(p.lon, p.lat)
			doc = bsoncore.AppendStringElement(doc, "cell", string(appendCell(buf[:0], q, r)))
		}
	}
	c.tokens.reset()
	for _, of := range c.plan.search {
		c.tokens.add(c.values[of.field].text, of.mark)
	}
	if words := c.tokens.sorted(); len(words) > 0 {
		list, d := bsoncore.AppendArrayElementStart(doc, "tokens")
		doc = d
		for i, w := range words {
			doc = bsoncore.AppendStringElement(doc, strconv.Itoa(i), string(c.tokens.word(w)))
		}
		doc = endDocument(doc, list)
	}
	return endDocument(doc, at)
}

// closing returns the kind of the row's closing, empty while it is open, and
// its end date, which a row that the authority closed may lack. unclear: an end
// is there and cannot be read, and nothing else closes the row.
func (c *Cleaner) closing() (kind string, end value, unclear bool) {
	for i, from := range c.plan.ends {
		unclear = unclear || c.raised[c.fields[from].flag[unreadable]]
		if kind == "" && c.ended(i) {
			kind, end = c.spec.Lifecycle.End[i].Kind, c.values[from]
		}
	}
	if c.isClosed() {
		kind = dataset.KindAdministrative
	}
	return kind, end, unclear && kind == ""
}

// ended reports whether the i-th end of the lifecycle is there and has come. One
// that expires has come on the day after it.
func (c *Cleaner) ended(i int) bool {
	v := c.values[c.plan.ends[i]]
	return v.kind == date && (!c.spec.Lifecycle.End[i].Expires || v.integer < c.day)
}

// appendMonth writes the month of a date as text: 2014-10. A string groups
// faster than a date and sorts as one.
func appendMonth(doc []byte, name string, ms int64) []byte {
	var buf [8]byte
	return bsoncore.AppendStringElement(doc, name, string(time.UnixMilli(ms).UTC().AppendFormat(buf[:0], "2006-01")))
}
