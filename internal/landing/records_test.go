package landing_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
)

// readPage reads all records, cloning what is valid only until the next.
func readPage(r io.Reader) ([]landing.Record, error) {
	reader := landing.NewPageReader(r)
	var records []landing.Record
	for {
		var rec landing.Record
		err := reader.Next(&rec)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		rec.Document, rec.Row, rec.Raw = bytes.Clone(rec.Document), bytes.Clone(rec.Row), bytes.Clone(rec.Raw)
		records = append(records, rec)
	}
}

func TestPageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) landing.Record {
			key := rapid.String().Draw(t, "key")
			if rapid.Bool().Draw(t, "quarantined") {
				raw := rapid.String().Draw(t, "raw")
				return landing.Record{Key: key, Quarantine: rapid.StringN(1, 20, -1).Draw(t, "reason"), Raw: append([]byte{}, raw...)}
			}
			rec := landingtest.Clean(t, key, bson.E{Key: "s", Value: rapid.String().Draw(t, "value")})
			if rapid.Bool().Draw(t, "has a fingerprint") {
				rec.Row = rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "fingerprint")
			}
			return rec
		}), 0, 40).Draw(t, "records")

		var page bytes.Buffer
		landingtest.WritePage(t, &page, records)
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
			landingtest.WritePage(t, &again, head)
			require.Equal(t, page.Bytes()[:cut], again.Bytes())
		} else {
			require.ErrorIs(t, err, landing.ErrCorrupt)
		}
	})
}

func TestPageIsPlainBSON(t *testing.T) {
	var page bytes.Buffer
	landingtest.WritePage(t, &page, []landing.Record{
		landingtest.Clean(t, "A-1", bson.E{Key: "dba_name", Value: "x"}),
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
	w := landing.NewPageWriter(io.Discard)
	require.Error(t, w.Append("k", [lineage.HashSize]byte{}, nil, nil))
	require.Error(t, w.Append("k", [lineage.HashSize]byte{}, bson.Raw{9, 0, 0, 0, 0}, nil))
	require.Error(t, w.Quarantine("k", "", []byte("{}")))
	huge, err := bson.Marshal(bson.D{{Key: "_id", Value: string(make([]byte, landing.MaxRecord))}})
	require.NoError(t, err)
	require.ErrorContains(t, w.Append("k", [lineage.HashSize]byte{}, huge, nil), "limit")
}

func TestPageReaderRefuses(t *testing.T) {
	hash := bson.Binary{Data: make([]byte, lineage.HashSize)}
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
			require.ErrorIs(t, err, landing.ErrCorrupt)
		})
	}
}

func TestPageReaderPassesOnReadErrors(t *testing.T) {
	fault := errors.New("the disk is gone")
	_, err := readPage(iotest.ErrReader(fault))
	require.ErrorIs(t, err, fault)
	require.NotErrorIs(t, err, landing.ErrCorrupt)
}

func FuzzPageReader(f *testing.F) {
	var page bytes.Buffer
	landingtest.WritePage(f, &page, []landing.Record{
		landingtest.Clean(f, "A-1", bson.E{Key: "dba_name", Value: "x"}),
		{Key: "A-2", Quarantine: "unreadable", Raw: []byte(`{"a":1}`)},
	})
	f.Add(page.Bytes())
	f.Add(page.Bytes()[:page.Len()-3])
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := readPage(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, landing.ErrCorrupt)
			return
		}
		for _, r := range records {
			require.NotEqual(t, r.Quarantine == "", r.Document == nil)
		}
	})
}

func BenchmarkPageReader(b *testing.B) {
	var page bytes.Buffer
	records := make([]landing.Record, 10_000)
	for i := range records {
		records[i] = landingtest.Register(b, i)
	}
	landingtest.WritePage(b, &page, records)
	b.ReportMetric(float64(page.Len())/float64(len(records)), "bytes/row")
	b.ReportAllocs()
	read := 0
	for b.Loop() {
		reader := landing.NewPageReader(bytes.NewReader(page.Bytes()))
		var rec landing.Record
		for reader.Next(&rec) == nil {
			read++
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkPageWriter(b *testing.B) {
	rec := landingtest.Register(b, 1)
	w := landing.NewPageWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(rec.Key, rec.Hash, rec.Document, nil); err != nil {
			b.Fatal(err)
		}
	}
}
