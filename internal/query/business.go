package query

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
	"padron/internal/statistics"
)

// Business is a location as pages and listings show it: the fields that every
// register has some of, typed, and the document as it was read. What is absent
// is zero. Sensitive fields are in neither, unless they were asked for.
type Business struct {
	Key      string          `bson:"_id" json:"key"`
	Account  string          `bson:"business_account_number" json:"account,omitempty"`
	Name     string          `bson:"dba_name" json:"name,omitempty"`
	Owner    string          `bson:"ownership_name" json:"owner,omitempty"`
	Address  PostalAddress   `bson:"address" json:"address,omitzero"`
	Dates    BusinessDates   `bson:"dates" json:"dates,omitzero"`
	NAICS    Code            `bson:"naics" json:"naics,omitzero"`
	License  Code            `bson:"license" json:"license,omitzero"`
	Location *GeoPoint       `bson:"location" json:"location,omitempty"`
	Corridor string          `bson:"corridor" json:"corridor,omitempty"`
	Facets   BusinessFacets  `bson:"facets" json:"facets,omitzero"`
	Quality  BusinessQuality `bson:"quality" json:"quality,omitzero"`
	Lineage  BusinessLineage `bson:"lineage" json:"lineage,omitzero"`
	Removed  bool            `bson:"-" json:"removed,omitempty"` // the portal no longer has it: its last document
	Document bson.Raw        `bson:"-" json:"-"`
}

// PostalAddress is where a location is, and where its mail goes.
type PostalAddress struct {
	Street    string `bson:"street" json:"street,omitempty"`
	City      string `bson:"city" json:"city,omitempty"`
	State     string `bson:"state" json:"state,omitempty"`
	Zip       string `bson:"source_zipcode" json:"zip,omitempty"`
	MailTo    string `bson:"mail_address" json:"mail_address,omitempty"`
	MailCity  string `bson:"mail_city" json:"mail_city,omitempty"`
	MailZip   string `bson:"mail_zipcode" json:"mail_zip,omitempty"`
	MailState string `bson:"mail_state" json:"mail_state,omitempty"`
}

// BusinessDates are days at midnight UTC, which stands for the date in the
// dataset's time zone; zero when unknown or not yet.
type BusinessDates struct {
	BusinessStart time.Time `bson:"business_start_date" json:"business_start,omitzero"`
	BusinessEnd   time.Time `bson:"business_end_date" json:"business_end,omitzero"`
	LocationStart time.Time `bson:"location_start_date" json:"location_start,omitzero"`
	LocationEnd   time.Time `bson:"location_end_date" json:"location_end,omitzero"`
}

// Code is a code and what it means.
type Code struct {
	Code        string `bson:"code" json:"code,omitempty"`
	Description string `bson:"description" json:"description,omitempty"`
}

// GeoPoint is a GeoJSON point: longitude first, degrees.
type GeoPoint struct {
	Coordinates [2]float64 `bson:"coordinates" json:"coordinates"`
}

// BusinessFacets are the dimensions of a row.
type BusinessFacets struct {
	Neighborhood string              `bson:"neighborhood" json:"neighborhood,omitempty"`
	Sector       string              `bson:"sector" json:"sector,omitempty"`
	District     statistics.District `bson:"district" json:"district,omitempty"`
	Open         *bool               `bson:"open" json:"open,omitempty"`     // nil: an end is there and cannot be read
	Closed       string              `bson:"closed" json:"closed,omitempty"` // kind of closing: location, account, administrative
	StartMonth   string              `bson:"start_month" json:"start_month,omitempty"`
	EndMonth     string              `bson:"end_month" json:"end_month,omitempty"`
	Cell         string              `bson:"cell" json:"cell,omitempty"`
}

// IsOpen reports whether the row is open.
func (f BusinessFacets) IsOpen() bool { return f.Open != nil && *f.Open }

// Unclear reports whether the row is neither open nor closed: it has an end that
// cannot be read.
func (f BusinessFacets) Unclear() bool { return f.Open == nil }

// BusinessQuality is what cleaning remarked on a row.
type BusinessQuality struct {
	Flags []string `bson:"flags" json:"flags,omitempty"`
	Stale bool     `bson:"stale" json:"stale,omitempty"` // its newest row is in quarantine: this is the last good document
}

// BusinessLineage is where a document came from.
type BusinessLineage struct {
	Version   int32     `bson:"version" json:"version,omitempty"`
	Run       string    `bson:"run" json:"run,omitempty"`
	FirstSeen time.Time `bson:"first_seen" json:"first_seen,omitzero"`
	ChangedAt time.Time `bson:"changed_at" json:"changed_at,omitzero"`
}

// ErrNoBusiness says that no row of that key was ever there.
var ErrNoBusiness = errors.New("no such business")

// business reads a document, without what is hidden of it.
func (r *Businesses) business(raw bson.Raw) (b Business, err error) {
	if raw, err = r.hidden.visible(raw); err == nil {
		err = raw.Validate()
	}
	if err != nil {
		return Business{}, fmt.Errorf("read a business: %w", err)
	}
	return businessOf(raw), nil
}

// businessOf reads a document. Another register has other types at some paths
// than San Francisco's: a number or a date where text is expected is shown as its
// text, and what cannot be shown is left out. No page fails because of one row.
func businessOf(raw bson.Raw) Business {
	text := func(path ...string) string { return textOf(raw.Lookup(path...)) }
	at := func(path ...string) time.Time { return momentOf(raw.Lookup(path...)) }
	b := Business{
		Key: text("_id"), Account: text("business_account_number"), Name: text("dba_name"), Owner: text("ownership_name"),
		Address: PostalAddress{
			Street: text("address", "street"), City: text("address", "city"), State: text("address", "state"), Zip: text("address", "source_zipcode"),
			MailTo: text("address", "mail_address"), MailCity: text("address", "mail_city"),
			MailZip: text("address", "mail_zipcode"), MailState: text("address", "mail_state"),
		},
		Dates: BusinessDates{
			BusinessStart: at("dates", "business_start_date"), BusinessEnd: at("dates", "business_end_date"),
			LocationStart: at("dates", "location_start_date"), LocationEnd: at("dates", "location_end_date"),
		},
		NAICS:    Code{Code: text("naics", "code"), Description: text("naics", "description")},
		License:  Code{Code: text("license", "code"), Description: text("license", "description")},
		Corridor: text("corridor"),
		Facets: BusinessFacets{
			Neighborhood: text("facets", "neighborhood"), Sector: text("facets", "sector"), Closed: text("facets", "closed"),
			District:   statistics.DistrictOf(raw.Lookup("facets", "district")),
			StartMonth: text("facets", "start_month"), EndMonth: text("facets", "end_month"), Cell: text("facets", "cell"),
		},
		Quality:  BusinessQuality{Stale: mongodb.Bool(raw, "quality", "stale")},
		Lineage:  BusinessLineage{Run: text("lineage", "run"), FirstSeen: at("lineage", "first_seen"), ChangedAt: at("lineage", "changed_at")},
		Document: raw,
	}
	b.Lineage.Version, _ = raw.Lookup("lineage", "version").Int32OK()
	if open, ok := raw.Lookup("facets", "open").BooleanOK(); ok {
		b.Facets.Open = &open
	}
	if flags, ok := raw.Lookup("quality", "flags").ArrayOK(); ok {
		values, _ := flags.Values() // it was validated
		for _, v := range values {
			b.Quality.Flags = append(b.Quality.Flags, textOf(v))
		}
	}
	lon, lonOK := raw.Lookup("location", "coordinates", "0").AsFloat64OK()
	lat, latOK := raw.Lookup("location", "coordinates", "1").AsFloat64OK()
	if lonOK && latOK {
		b.Location = &GeoPoint{Coordinates: [2]float64{lon, lat}}
	}
	return b
}

// textOf is a value as text, empty for one that has none.
func textOf(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10)
	case bson.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean())
	case bson.TypeDateTime:
		return momentOf(v).Format(time.DateOnly)
	default:
		return ""
	}
}

// momentOf is a date, zero for anything else.
func momentOf(v bson.RawValue) time.Time {
	ms, ok := v.DateTimeOK()
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
