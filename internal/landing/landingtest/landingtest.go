// Package landingtest makes records and pages for tests, and lands them.
package landingtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/landing"
)

// Directory is a zone in a directory of the test's own.
func Directory(t testing.TB) landing.Zone {
	t.Helper()
	zone, err := landing.NewDirectory(t.TempDir())
	require.NoError(t, err)
	return zone
}

// Clean is the record of a clean row: a document of its key and fields.
func Clean(t require.TestingT, key string, fields ...bson.E) landing.Record {
	doc, err := bson.Marshal(append(bson.D{{Key: "_id", Value: key}}, fields...))
	require.NoError(t, err)
	return landing.Record{Key: key, Hash: sha256.Sum256(doc), Document: doc}
}

// Valued is the record of a clean row with one field, a number called value.
func Valued(t require.TestingT, key string, value int) landing.Record {
	return Clean(t, key, bson.E{Key: "value", Value: int32(value)})
}

// Quarantined is the record of a row that could not become a document.
func Quarantined(key string) landing.Record {
	return landing.Record{Key: key, Quarantine: "unreadable", Raw: []byte(`{"ttxid":"` + key + `"}`)}
}

// Register is the record of the i-th row of a made-up register, in order of
// keys. It is as long as a typical row, 765 bytes of BSON.
func Register(t require.TestingT, i int) landing.Record {
	key := fmt.Sprintf("%07d-%02d-001", i/3, i%3)
	return Clean(t, key,
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
		bson.E{Key: "dates", Value: bson.D{
			{Key: "business_start_date", Value: bson.DateTime(1e12)}, {Key: "location_start_date", Value: bson.DateTime(1e12)},
		}},
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

// WritePage writes records as a cleaned page.
func WritePage(t require.TestingT, w io.Writer, records []landing.Record) {
	page := landing.NewPageWriter(w)
	for _, r := range records {
		if r.Quarantine != "" {
			require.NoError(t, page.Quarantine(r.Key, r.Quarantine, r.Raw))
		} else {
			require.NoError(t, page.Append(r.Key, r.Hash, r.Document, r.Row))
		}
	}
	require.NoError(t, page.Flush())
}

// Land lands cleaned pages, labelled "0000" and so on, and returns references
// to them.
func Land(ctx context.Context, t require.TestingT, zone landing.Zone, run string, pages ...[]landing.Record) []landing.Ref {
	var refs []landing.Ref
	for i, records := range pages {
		label := fmt.Sprintf("%04d", i)
		w, err := zone.Create(ctx, landing.Meta{Run: run, Kind: landing.KindClean, Page: label})
		require.NoError(t, err)
		WritePage(t, w, records)
		entry, err := w.Commit(ctx)
		require.NoError(t, err)
		refs = append(refs, landing.Ref{ID: entry.ID, SHA256: entry.SHA256, Label: label})
	}
	return refs
}

// LandKeys lands a page of keys, which are in byte order.
func LandKeys(ctx context.Context, t require.TestingT, zone landing.Zone, keys ...string) landing.Ref {
	page := landing.NewKeyWriter(ctx, zone, "r1", "0")
	defer page.Abort()
	for _, key := range keys {
		require.NoError(t, page.Add(key))
	}
	ref, err := page.Commit(ctx)
	require.NoError(t, err)
	return ref
}

// Keys reads pages of keys.
func Keys(ctx context.Context, t require.TestingT, zone landing.Zone, refs ...landing.Ref) []string {
	var all []string
	require.NoError(t, landing.EachKey(ctx, zone, refs, func(keys []string) error {
		all = append(all, keys...)
		return nil
	}))
	return all
}
