package mirror

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// readPage reads all records, cloning what is valid only until the next.
func readPage(r io.Reader) ([]Record, error) {
	reader := NewPageReader(r)
	var records []Record
	for {
		var rec Record
		err := reader.Next(&rec)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		rec.Document, rec.Raw = bytes.Clone(rec.Document), bytes.Clone(rec.Raw)
		records = append(records, rec)
	}
}

func writePage(t require.TestingT, w io.Writer, records []Record) {
	pw := NewPageWriter(w)
	for _, r := range records {
		if r.Quarantine != "" {
			require.NoError(t, pw.Quarantine(r.Key, r.Quarantine, r.Raw))
		} else {
			require.NoError(t, pw.Append(r.Key, r.Hash, r.Document))
		}
	}
	require.NoError(t, pw.Flush())
}

func cleanRecord(t require.TestingT, key string, fields ...bson.E) Record {
	doc, err := bson.Marshal(append(bson.D{{Key: "_id", Value: key}}, fields...))
	require.NoError(t, err)
	return Record{Key: key, Hash: sha256.Sum256(doc), Document: doc}
}

func TestPageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record {
			key := rapid.String().Draw(t, "key")
			if rapid.Bool().Draw(t, "quarantined") {
				raw := rapid.String().Draw(t, "raw")
				return Record{Key: key, Quarantine: rapid.StringN(1, 20, -1).Draw(t, "reason"), Raw: append([]byte{}, raw...)}
			}
			return cleanRecord(t, key, bson.E{Key: "s", Value: rapid.String().Draw(t, "value")})
		}), 0, 40).Draw(t, "records")

		var page bytes.Buffer
		writePage(t, &page, records)
		got, err := readPage(iotest.OneByteReader(bytes.NewReader(page.Bytes())))
		require.NoError(t, err)
		require.Len(t, got, len(records))
		for i := range records {
			require.Equal(t, records[i], got[i])
		}

		// Cut anywhere but between records, the page is corrupt.
		if page.Len() == 0 {
			return
		}
		cut := rapid.IntRange(1, page.Len()-1).Draw(t, "cut")
		head, err := readPage(bytes.NewReader(page.Bytes()[:cut]))
		if err == nil {
			var again bytes.Buffer
			writePage(t, &again, head)
			require.Equal(t, page.Bytes()[:cut], again.Bytes())
		} else {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}

func TestPageIsPlainBSON(t *testing.T) {
	var page bytes.Buffer
	writePage(t, &page, []Record{
		cleanRecord(t, "A-1", bson.E{Key: "dba_name", Value: "x"}),
		{Key: "", Quarantine: "no key", Raw: []byte(`{"a":1}`)},
	})
	first := bson.Raw(page.Bytes())
	first = first[:first[0]]
	require.NoError(t, first.Validate())
	assert.Equal(t, "A-1", first.Lookup("k").StringValue())
	assert.Equal(t, "x", first.Lookup("d", "dba_name").StringValue())
	second := bson.Raw(page.Bytes()[len(first):])
	require.NoError(t, second.Validate())
	assert.Equal(t, `{"a":1}`, second.Lookup("r").StringValue())
}

func TestPageWriterRefuses(t *testing.T) {
	w := NewPageWriter(io.Discard)
	require.Error(t, w.Append("k", [HashSize]byte{}, nil))
	require.Error(t, w.Append("k", [HashSize]byte{}, bson.Raw{9, 0, 0, 0, 0}))
	require.Error(t, w.Quarantine("k", "", []byte("{}")))
	huge, err := bson.Marshal(bson.D{{Key: "_id", Value: string(make([]byte, maxRecord))}})
	require.NoError(t, err)
	require.ErrorContains(t, w.Append("k", [HashSize]byte{}, huge), "limit")
}

func TestPageReaderRefuses(t *testing.T) {
	hash := bson.Binary{Data: make([]byte, HashSize)}
	doc := bson.D{{Key: "_id", Value: "a"}}
	for name, d := range map[string]bson.D{
		"no key":         {{Key: "h", Value: hash}, {Key: "d", Value: doc}},
		"no hash":        {{Key: "k", Value: "a"}, {Key: "d", Value: doc}},
		"short hash":     {{Key: "k", Value: "a"}, {Key: "h", Value: bson.Binary{Data: []byte{1}}}, {Key: "d", Value: doc}},
		"both":           {{Key: "k", Value: "a"}, {Key: "h", Value: hash}, {Key: "d", Value: doc}, {Key: "q", Value: "x"}, {Key: "r", Value: "{}"}},
		"no raw":         {{Key: "k", Value: "a"}, {Key: "q", Value: "x"}},
		"unknown":        {{Key: "k", Value: "a"}, {Key: "z", Value: 1}},
		"key of no type": {{Key: "k", Value: 1}, {Key: "h", Value: hash}, {Key: "d", Value: doc}},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := bson.Marshal(d)
			require.NoError(t, err)
			_, err = readPage(bytes.NewReader(raw))
			require.ErrorIs(t, err, ErrCorrupt)
		})
	}
}

func TestPageReaderPassesOnReadErrors(t *testing.T) {
	fault := errors.New("the disk is gone")
	_, err := readPage(iotest.ErrReader(fault))
	require.ErrorIs(t, err, fault)
	require.NotErrorIs(t, err, ErrCorrupt)
}

func FuzzPageReader(f *testing.F) {
	var page bytes.Buffer
	writePage(f, &page, []Record{
		cleanRecord(f, "A-1", bson.E{Key: "dba_name", Value: "x"}),
		{Key: "A-2", Quarantine: "unreadable", Raw: []byte(`{"a":1}`)},
	})
	f.Add(page.Bytes())
	f.Add(page.Bytes()[:page.Len()-3])
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := readPage(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		for _, r := range records {
			require.NotEqual(t, r.Quarantine == "", r.Document == nil)
		}
	})
}

// benchmarkDocument is as long as a typical register row, 765 bytes of BSON.
func benchmarkDocument(t require.TestingT, i int) Record {
	key := fmt.Sprintf("%07d-%02d-001", i/3, i%3)
	return cleanRecord(t, key,
		bson.E{Key: "location_id", Value: key},
		bson.E{Key: "business_account_number", Value: key[:7]},
		bson.E{Key: "ownership_name", Value: fmt.Sprintf("Owner %d Holdings Incorporated", i)},
		bson.E{Key: "dba_name", Value: fmt.Sprintf("The Shop Number %d", i)},
		bson.E{Key: "address", Value: bson.D{
			{Key: "street", Value: fmt.Sprintf("%d Market St", i%9000)},
			{Key: "city", Value: "San Francisco"},
			{Key: "state", Value: "CA"},
			{Key: "source_zipcode", Value: "94103"},
			{Key: "mail_address", Value: fmt.Sprintf("%d Mission St", i%7000)},
			{Key: "mail_city", Value: "San Francisco"},
			{Key: "mail_zipcode", Value: "94105"},
			{Key: "mail_state", Value: "CA"},
		}},
		bson.E{Key: "dates", Value: bson.D{{Key: "business_start_date", Value: bson.DateTime(1e12)}, {Key: "location_start_date", Value: bson.DateTime(1e12)}}},
		bson.E{Key: "taxes", Value: bson.D{{Key: "parking_tax", Value: false}, {Key: "transient_occupancy_tax", Value: false}}},
		bson.E{Key: "facets", Value: bson.D{
			{Key: "neighborhood", Value: [...]string{"Mission", "Sunset/Parkside", "South of Market", "Chinatown"}[i%4]},
			{Key: "sector", Value: [...]string{"44-45", "722", "54"}[i%3]},
			{Key: "district", Value: int32(i%11 + 1)},
			{Key: "open", Value: i%2 == 0},
			{Key: "start_month", Value: fmt.Sprintf("%d-%02d", 1970+i%55, i%12+1)},
			{Key: "tokens", Value: bson.A{"the", "shop", "number", fmt.Sprint(i), "market", "st"}},
		}},
		bson.E{Key: "location", Value: bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{-122.4 + float64(i%100)/1000, 37.7}}}},
	)
}

func BenchmarkPageReader(b *testing.B) {
	var page bytes.Buffer
	records := make([]Record, 10_000)
	for i := range records {
		records[i] = benchmarkDocument(b, i)
	}
	writePage(b, &page, records)
	b.ReportMetric(float64(page.Len())/float64(len(records)), "bytes/row")
	b.ReportAllocs()
	read := 0
	for b.Loop() {
		reader := NewPageReader(bytes.NewReader(page.Bytes()))
		var rec Record
		for reader.Next(&rec) == nil {
			read++
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkPageWriter(b *testing.B) {
	rec := benchmarkDocument(b, 1)
	w := NewPageWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(rec.Key, rec.Hash, rec.Document); err != nil {
			b.Fatal(err)
		}
	}
}
