package register

import (
	"math/rand/v2"
	"sort"
	"strconv"
	"time"

	"padron/internal/portalsim/store"
)

// Shares of the register's rows in July 2026, unless said otherwise. Those of a
// part of the rows follow from totals that were counted: 21 % of the rows have
// no neighborhood, 15 % lie outside the city's box, 3 % have no point, 45 % and
// 35 % no end dates, 65 % no industry code, and 11.6 % are administratively
// closed.
const (
	shareOld          = 0.42  // registered before the migration of 2014
	shareNewAccount   = 0.74  // of later locations: opened by an account of its own
	shareCity         = 0.804 // "San Francisco", spelled so
	shareMisspelled   = 0.017 // another spelling of it
	shareSouth        = 0.0045
	shareFarAway      = 0.035 // another state
	shareOdd          = 0.004 // no place at all in the city column
	shareNoCity       = 0.002
	shareLostInCity   = 0.032 // of rows in the city: no neighborhood
	shareOutsideAway  = 0.79  // of rows elsewhere: a point outside the box
	shareNoPointAway  = 0.13
	shareCommonAway   = 0.021 // of rows elsewhere: the one most common point
	shareOpen         = 0.29
	shareOpenRecent   = 0.85 // of rows registered in the last two years
	shareLocationEnd  = 0.115
	shareBusinessEnd  = 0.01
	shareAdministered = 0.219 // of rows with both end dates
	shareNoCode       = 0.71
	shareNoCodeClosed = 0.50 // closed since 2019: closings by sector can be used
	shareNoCodeRecent = 0.96 // openings by sector cannot
)

// The days, since 1970, on which the generated dates depend.
var (
	asOfDay      = day(2026, time.October, 3) // the day that the rows describe
	migrationDay = day(2014, time.July, 1)    // accounts that were closed by then were not taken over
	cleanupDay   = day(2019, time.January, 1) // about 40,000 rows were closed in the year before
)

func day(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

func date(day int) time.Time { return time.Unix(int64(day)*24*60*60, 0).UTC() }

// generator makes rows one by one, in the order of their keys.
type generator struct {
	*rand.Rand
	b      *store.Builder
	cells  []store.Value // of the row in work
	recent []account     // accounts that may open further locations, bounded

	nearCity, spelling, southCity, oddCity, neighborhood, sector picker
}

// The columns, in the register's order. data_as_of and data_loaded_at follow
// them; they have one value in all rows.
const (
	colUniqueID = iota
	colCertificate
	colTTXID
	colOwner
	colDBA
	colAddress
	colCity
	colState
	colZip
	colDBAStart
	colDBAEnd
	colLocationStart
	colLocationEnd
	colAdministered
	colMailAddress
	colMailCity
	colMailState
	colMailZip
	colNAICS
	colLic
	colLicDescription
	colLicDescriptions
	colParking
	colTransient
	colPoint
	colCorridor
	colNeighborhood
	colDistrict
	colBenefitDistrict
	colRegions // the first of five
)

// columns lays the register out as it is since July 2026.
func columns() []store.Column {
	asOf := store.DateValue(date(asOfDay))
	loaded := store.DateValue(date(asOfDay).Add(11*time.Hour + 15*time.Minute))
	columns := []store.Column{
		{Name: "uniqueid", Title: "UniqueID"},
		{Name: "certificate_number", Title: "Business Account Number"},
		{Name: "ttxid", Title: "Location Id"},
		{Name: "ownership_name", Title: "Ownership Name"},
		{Name: "dba_name", Title: "DBA Name"},
		{Name: "full_business_address", Title: "Street Address"},
		{Name: "city", Title: "City"},
		{Name: "state", Title: "State"},
		{Name: "business_zip", Title: "Source Zipcode"},
		{Name: "dba_start_date", Title: "Business Start Date", Kind: store.KindCalendarDate},
		{Name: "dba_end_date", Title: "Business End Date", Kind: store.KindCalendarDate},
		{Name: "location_start_date", Title: "Location Start Date", Kind: store.KindCalendarDate},
		{Name: "location_end_date", Title: "Location End Date", Kind: store.KindCalendarDate},
		{Name: "administratively_closed", Title: "Administratively Closed"},
		{Name: "mailing_address_1", Title: "Mail Address"},
		{Name: "mail_city", Title: "Mail City"},
		{Name: "mail_state", Title: "Mail State"},
		{Name: "mail_zipcode", Title: "Mail Zipcode"},
		{Name: "self_reported_naics_code", Title: "Self Reported NAICS Code"},
		{Name: "lic", Title: "LIC Code"},
		{Name: "lic_code_description", Title: "LIC Code Description"},
		{Name: "lic_code_descriptions_list", Title: "LIC Code Descriptions List"},
		{Name: "parking_tax", Title: "Parking Tax", Kind: store.KindCheckbox},
		{Name: "transient_occupancy_tax", Title: "Transient Occupancy Tax", Kind: store.KindCheckbox},
		{Name: "location", Title: "Business Location", Kind: store.KindPoint},
		{Name: "business_corridor", Title: "Business Corridor"},
		{Name: "neighborhoods_analysis_boundaries", Title: "Neighborhoods - Analysis Boundaries"},
		{Name: "supervisor_district", Title: "Supervisor District"},
		{Name: "community_benefit_district", Title: "Community Benefit District"},
	}
	for _, name := range computedRegions {
		columns = append(columns, store.Column{Name: name, Kind: store.KindNumber})
	}
	return append(columns,
		store.Column{Name: "data_as_of", Title: "data_as_of", Kind: store.KindCalendarDate, Constant: &asOf},
		store.Column{Name: "data_loaded_at", Title: "data_loaded_at", Kind: store.KindCalendarDate, Constant: &loaded},
	)
}

// Generate makes n rows with the profile of San Francisco's register in 2026.
// The same n and seed give the same rows. Keys are distinct and in order.
func Generate(n int, seed uint64) *store.Table {
	b, err := store.NewBuilder(columns(), n)
	if err != nil {
		panic(err) // only too many columns are refused, and there are 36
	}
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x7061_6472_6f6e)), b: b, cells: b.Row(),
		nearCity: pick(nearCities[:]), spelling: pick(citySpellings[:]), southCity: pick(southCitySpellings[:]),
		oddCity: pick(oddCities[:]),
	}
	for _, n := range neighborhoods {
		g.neighborhood.add(n.weight)
	}
	for _, s := range sectors {
		g.sector.add(s.weight)
	}
	old := int(float64(n) * shareOld)
	g.oldRows(old)
	g.newRows(n - old)
	return b.Table()
}

// picker chooses among weighted things.
type picker struct{ sums []int }

func pick(words []weightedWord) picker {
	var p picker
	for _, w := range words {
		p.add(w.weight)
	}
	return p
}

func (p *picker) add(weight int) {
	total := 0
	if len(p.sums) > 0 {
		total = p.sums[len(p.sums)-1]
	}
	p.sums = append(p.sums, total+weight)
}

func (g *generator) choose(p picker) int {
	return sort.SearchInts(p.sums, g.IntN(p.sums[len(p.sums)-1])+1)
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func oneOf[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) setText(col int, s string) { g.cells[col] = store.TextValue(s) }

func (g *generator) setDate(col, day int) { g.cells[col] = store.DateValue(date(day)) }

func (g *generator) setPoint(lon, lat float64) {
	g.cells[colPoint] = store.PointValue(micro(lon), micro(lat))
}

// row fills and adds a row: where it is, when it began and ended, what it does.
// The days are those on which the business and the location began, and on which
// the location was registered.
func (g *generator) row(a *account, ttxid string, started, opened, registered int) {
	clear(g.cells)
	g.setText(colUniqueID, ttxid+"-"+a.certificate)
	g.setText(colCertificate, a.certificate)
	g.setText(colTTXID, ttxid)
	g.setText(colOwner, a.owner)
	dba := a.dba
	if a.chain && a.next > 2 || g.chance(0.01) {
		dba += " #" + strconv.Itoa(1+g.IntN(400))
	}
	g.setText(colDBA, dba)
	g.place()
	g.mail()
	recent := registered > asOfDay-730
	ended := g.dates(started, opened, registered, recent)
	g.industry(a.sector, recent, ended)
	g.license()
	g.cells[colParking] = store.BoolValue(g.chance(0.006))
	g.cells[colTransient] = store.BoolValue(a.sector == accommodations && g.chance(0.5) || g.chance(0.008))
	g.b.Add(g.cells)
}
