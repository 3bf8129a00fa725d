package socratatest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Vintage is a state of the register's columns.
type Vintage int

const (
	// Today is the register since July 2026: self_reported_naics_code.
	Today Vintage = iota
	// BeforeJuly2026 has naic_code, naic_code_description and naics_code_descriptions_list instead.
	BeforeJuly2026
)

// Shares of the register's rows, July 2026 unless said otherwise. Conditional ones follow from totals that were
// counted: 21 % of the rows without a neighborhood, 15 % outside the city's box, 3 % without a point, 45 % and 35 %
// without end dates, 11.6 % administratively closed, 65 % without an industry code.
const (
	shareOld          = 0.42  // registered before the migration of 2014
	shareNewAccount   = 0.74  // of later locations: opened by an account of its own
	shareCity         = 0.804 // "San Francisco", spelled so
	shareMisspelled   = 0.017 // some other spelling of it
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
	shareAdministered = 0.219 // of rows with both ends
	shareNoCode       = 0.71
	shareNoCodeClosed = 0.50 // closed since 2019: closings by sector are usable
	shareNoCodeRecent = 0.96 // openings by sector are not
)

// generator makes rows one by one, in the order of their keys.
type generator struct {
	*rand.Rand
	vintage Vintage
	b       *builder
	cells   []value
	recent  []account // accounts that may open further locations, bounded

	nearCity, spelling, southCity, oddCity, neighborhood, sector picker
}

// Days since 1970 that the generator's dates hang on.
var (
	asOfDay      = day(2026, time.October, 3) // the day the rows are of
	migrationDay = day(2014, time.July, 1)    // accounts that were closed by then were not taken over
	cleanupDay   = day(2019, time.January, 1) // about 40,000 rows were closed in the year before
)

func day(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// The generator's columns, in the order of the register.
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
	colNAICSDescription
	colNAICSDescriptions
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

// registerColumns lays the columns out; data_as_of and data_loaded_at have one value in all rows.
func registerColumns(v Vintage) []column {
	asOf := dateValue(time.Unix(int64(asOfDay)*24*60*60, 0).UTC())
	loaded := asOf
	loaded.at += (11*60 + 15) * 60 * 1000
	columns := []column{
		{name: "uniqueid", title: "UniqueID"},
		{name: "certificate_number", title: "Business Account Number"},
		{name: "ttxid", title: "Location Id"},
		{name: "ownership_name", title: "Ownership Name"},
		{name: "dba_name", title: "DBA Name"},
		{name: "full_business_address", title: "Street Address"},
		{name: "city", title: "City"},
		{name: "state", title: "State"},
		{name: "business_zip", title: "Source Zipcode"},
		{name: "dba_start_date", title: "Business Start Date", kind: kindCalendarDate},
		{name: "dba_end_date", title: "Business End Date", kind: kindCalendarDate},
		{name: "location_start_date", title: "Location Start Date", kind: kindCalendarDate},
		{name: "location_end_date", title: "Location End Date", kind: kindCalendarDate},
		{name: "administratively_closed", title: "Administratively Closed"},
		{name: "mailing_address_1", title: "Mail Address"},
		{name: "mail_city", title: "Mail City"},
		{name: "mail_state", title: "Mail State"},
		{name: "mail_zipcode", title: "Mail Zipcode"},
		{name: "self_reported_naics_code", title: "Self Reported NAICS Code"},
		{name: "naic_code_description", title: "NAICS Code Description"},
		{name: "naics_code_descriptions_list", title: "NAICS Code Descriptions List"},
		{name: "lic", title: "LIC Code"},
		{name: "lic_code_description", title: "LIC Code Description"},
		{name: "lic_code_descriptions_list", title: "LIC Code Descriptions List"},
		{name: "parking_tax", title: "Parking Tax", kind: kindCheckbox},
		{name: "transient_occupancy_tax", title: "Transient Occupancy Tax", kind: kindCheckbox},
		{name: "location", title: "Business Location", kind: kindPoint},
		{name: "business_corridor", title: "Business Corridor"},
		{name: "neighborhoods_analysis_boundaries", title: "Neighborhoods - Analysis Boundaries"},
		{name: "supervisor_district", title: "Supervisor District"},
		{name: "community_benefit_district", title: "Community Benefit District"},
	}
	for _, name := range computedRegions {
		columns = append(columns, column{name: name, title: titleOf(name), kind: kindNumber})
	}
	columns = append(columns,
		column{name: "data_as_of", title: "data_as_of", kind: kindCalendarDate, same: &asOf},
		column{name: "data_loaded_at", title: "data_loaded_at", kind: kindCalendarDate, same: &loaded},
	)
	if v == BeforeJuly2026 {
		columns[colNAICS].name, columns[colNAICS].title = "naic_code", "NAICS Code"
	}
	return columns
}

// Generate makes n rows with the profile of San Francisco's register in 2026, dirt included; no person or business in
// them is real. The same n and seed give the same rows. Keys are distinct and in order.
func Generate(n int, seed uint64) *Table { return GenerateVintage(n, seed, Today) }

// GenerateVintage is Generate with the columns of another time.
func GenerateVintage(n int, seed uint64, v Vintage) *Table {
	b, err := newBuilder(registerColumns(v))
	if err != nil {
		// The columns are this file's own and fit; an empty table would only hide a mistake in it.
		return &Table{}
	}
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x7061_6472_6f6e)), vintage: v, b: b, cells: make([]value, len(b.table.slots)),
		nearCity: pick(nearCities[:]), spelling: pick(citySpellings[:]), southCity: pick(southCitySpellings[:]),
		oddCity: pick(oddCities[:]),
	}
	for _, n := range neighborhoods {
		g.neighborhood.add(n.weight)
	}
	for _, s := range sectors {
		g.sector.add(s.weight)
	}
	b.table.rows = make([]entry, 0, n)
	old := int(float64(n) * shareOld)
	g.oldRows(old)
	g.newRows(n - old)
	table := b.done()
	if v == Today {
		// These two columns exist only before July 2026; their slots stay empty.
		table.columns = append(table.columns[:colNAICSDescription:colNAICSDescription], table.columns[colNAICSDescriptions+1:]...)
	}
	return table
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

// account is who pays the tax: an owner with one or more locations.
type account struct {
	certificate string
	owner, dba  string
	sector      int
	start       int // day
	next        int // number of the next location, in the old scheme
	chain       bool
}

// newAccount invents an owner, a business and what it does.
func (g *generator) newAccount(certificate string, start int) account {
	a := account{certificate: certificate, start: start, next: 1, sector: g.choose(g.sector)}
	trade := oneOf(g, sectors[a.sector].trades)
	shop := g.shop(trade)
	first, last := oneOf(g, firstNames[:]), oneOf(g, lastBegins[:])+oneOf(g, lastEnds[:])
	switch u := g.Float64(); {
	case u < 0.48: // a sole owner
		a.owner = last + " " + first
		if g.chance(0.55) {
			a.owner += " " + string(rune('A'+g.IntN(26)))
		}
		if g.chance(0.08) {
			a.owner += " & " + oneOf(g, firstNames[:])
		}
		a.dba = a.owner
		if g.chance(0.6) {
			a.dba = shop
		} else if g.chance(0.3) {
			a.dba = first + " " + last
		}
	default:
		a.owner = oneOf(g, adjectives[:]) + " " + oneOf(g, nouns[:]) + " " + oneOf(g, sectors[a.sector].trades) + " " + oneOf(g, forms[:])
		if g.chance(0.3) {
			a.owner = last + " " + oneOf(g, nouns[:]) + " " + oneOf(g, forms[:])
		}
		a.dba = shop
		if g.chance(0.4) {
			a.dba = a.owner
		}
	}
	switch u := g.Float64(); {
	case u < 0.003:
		a.dba = "N/A"
	case u < 0.005:
		a.dba = "None"
	case u < 0.006:
		a.dba = "San Francisco"
	case u < 0.011:
		a.dba += " #"
	case u < 0.021:
		a.dba = first + "'s " + trade
	case u < 0.023:
		a.dba = "Caf\u00e9 " + oneOf(g, nouns[:])
	case u < 0.024:
		a.dba = `"` + a.dba + `"`
	}
	a.chain = g.chance(0.02)
	return a
}

// shop invents the name of a business.
func (g *generator) shop(trade string) string {
	name := oneOf(g, adjectives[:]) + " " + oneOf(g, nouns[:]) + " " + trade
	if g.chance(0.2) {
		name += " " + strconv.Itoa(1+g.IntN(99))
	}
	return name
}

// remember keeps an account for further locations; a chain takes several places, so that it grows.
func (g *generator) remember(a account) {
	const kept = 20_000
	times := 1
	if a.chain {
		times = 12
	}
	for range times {
		if len(g.recent) < kept {
			g.recent = append(g.recent, a)
		} else {
			g.recent[g.IntN(kept)] = a
		}
	}
}

// oldRows makes n locations with the keys of before the migration: certificate, number of the location, 001.
func (g *generator) oldRows(n int) {
	if n == 0 {
		return
	}
	// Certificates run from 24 to 499,999; more rows than those hold use the numbers up to 999,999.
	accounts := max(1, int(float64(n)/1.43))
	step := max(1, 499_900/accounts)
	if step == 1 {
		step = max(1, 999_000/accounts)
	}
	certificate := 24
	for made := 0; made < n; {
		start := g.oldStart()
		a := g.newAccount(fmt.Sprintf("%07d", certificate), start)
		certificate += 1 + g.IntN(max(1, 2*step-1))
		left := certificate > 999_900 // no certificates left: the last account takes the rest
		for first := true; made < n && a.next < 100; first = false {
			if !first && !left && !(g.chance(0.26) || a.chain && g.chance(0.85)) {
				break
			}
			last := "001"
			switch u := g.Float64(); {
			case u < 0.01:
				last = "999"
			case u < 0.03:
				last = "002"
			}
			number := a.next
			a.next += 1 + g.IntN(2)
			if first && g.chance(0.005) {
				number, last = 0, "000"
			}
			opened := start
			if g.chance(0.4) {
				opened = start + g.IntN(max(1, migrationDay-start))
			}
			g.row(&a, fmt.Sprintf("%s-%02d-%s", a.certificate, number, last), start, opened, min(opened, migrationDay))
			made++
		}
		g.remember(a)
	}
}

// oldStart is when a business of before the migration began: 1848 at the earliest, often a default-looking day.
func (g *generator) oldStart() int {
	from, to := day(1968, time.October, 1), migrationDay
	switch u := g.Float64(); {
	case u < 0.03:
		return from
	case u < 0.0304:
		return day(1848, time.January, 1) + g.IntN(365*80)
	case u < 0.045:
		return day(1930, time.January, 1) + g.IntN(365*38)
	default:
		d := from + int(float64(to-from)*math.Sqrt(g.Float64()))
		if g.chance(0.25) {
			t := time.Unix(int64(d)*24*60*60, 0).UTC()
			return day(t.Year(), t.Month(), 1)
		}
		return d
	}
}

// newRows makes n locations with the keys of since the migration: a running number, month and year of registration.
func (g *generator) newRows(n int) {
	number, certificate := 1_000_001, 1_000_001
	const numbers = 406_000 // given out in the real register until 2026
	step := max(1, numbers/max(1, n))
	for i := range n {
		registered := migrationDay + 45 + (asOfDay-migrationDay-45)*i/n
		number += 1 + g.IntN(max(1, 2*step-1))
		t := time.Unix(int64(registered)*24*60*60, 0).UTC()
		ttxid := fmt.Sprintf("%07d-%02d-%02d1", number, t.Month(), t.Year()%100)
		if len(g.recent) == 0 || g.chance(shareNewAccount) {
			start := registered - g.IntN(45) + g.IntN(20)
			if g.chance(0.3) { // backdated
				start = registered - int(-math.Log(1-g.Float64())*1500)
			}
			a := g.newAccount(fmt.Sprintf("%07d", certificate), min(start, asOfDay))
			certificate += 1 + g.IntN(2)
			opened := a.start
			if g.chance(0.15) {
				opened = registered - g.IntN(60)
			}
			g.row(&a, ttxid, a.start, opened, registered)
			g.remember(a)
			continue
		}
		a := oneOf(g, g.recent)
		if !a.chain && g.chance(0.5) {
			a.dba = g.shop(oneOf(g, sectors[a.sector].trades))
		}
		g.row(&a, ttxid, a.start, registered-g.IntN(90), registered)
	}
}

// row fills one row: where it is, when it began and ended, what it does.
func (g *generator) row(a *account, ttxid string, started, opened, registered int) {
	clear(g.cells)
	g.cells[colUniqueID] = textValue(ttxid + "-" + a.certificate)
	g.cells[colCertificate] = textValue(a.certificate)
	g.cells[colTTXID] = textValue(ttxid)
	g.cells[colOwner] = textValue(a.owner)
	dba := a.dba
	if a.chain && a.next > 2 || g.chance(0.01) {
		dba += " #" + strconv.Itoa(1+g.IntN(400))
	}
	g.cells[colDBA] = textValue(dba)
	g.place()
	g.mail()
	recent := registered > asOfDay-730
	ended := g.dates(started, opened, registered, recent)
	g.industry(a.sector, recent, ended)
	g.licenses()
	g.cells[colParking] = boolValue(g.chance(0.006))
	g.cells[colTransient] = boolValue(a.sector == 10 && g.chance(0.5) || g.chance(0.008))
	g.b.add(g.cells)
}

func (g *generator) date(col, d int) {
	g.cells[col] = value{kind: kindCalendarDate, set: true, at: int64(d) * 24 * 60 * 60 * 1000}
}

// dates decides when a location and its business began and ended, and says when it ended: 0 while open.
func (g *generator) dates(started, opened, registered int, recent bool) (ended int) {
	if g.chance(0.0002) {
		opened = asOfDay + 1 + g.IntN(820) // up to 2028
	}
	g.date(colDBAStart, started)
	g.date(colLocationStart, opened)
	open, locationEnd := shareOpen, shareLocationEnd
	if recent {
		open, locationEnd = shareOpenRecent, 0.06
	}
	u := g.Float64()
	if u < open {
		return 0
	}
	ended = g.ended(opened, registered)
	switch {
	case u < open+locationEnd:
		g.date(colLocationEnd, ended)
	case u < open+locationEnd+shareBusinessEnd:
		g.date(colDBAEnd, ended)
	default:
		g.date(colLocationEnd, ended)
		businessEnd := ended
		if g.chance(0.2) && ended < asOfDay {
			businessEnd += g.IntN(asOfDay - ended)
		}
		if !recent && g.chance(shareAdministered) {
			g.cells[colAdministered] = textValue("***Administratively Closed")
			businessEnd = ended
		}
		g.date(colDBAEnd, businessEnd)
	}
	return ended
}

// ended is a day on which a location was closed; some are before it opened, some far in the future.
func (g *generator) ended(opened, registered int) int {
	from := max(opened, registered, day(2013, time.January, 1))
	switch u := g.Float64(); {
	case u < 0.03:
		return opened
	case u < 0.042:
		return opened - 1 - g.IntN(400)
	case u < 0.0424:
		return asOfDay + 1 + g.IntN(179*365) // up to 2205
	case from < day(2018, time.June, 1) && g.chance(0.22):
		days := [...]int{
			day(2018, time.January, 1), day(2018, time.May, 31), day(2018, time.June, 30), day(2018, time.December, 31),
		}
		if d := oneOf(g, days[:]); d >= from {
			return d
		}
		return day(2018, time.December, 31)
	default:
		d := from + g.IntN(max(1, asOfDay-from))
		if g.chance(0.3) { // the last of a month
			t := time.Unix(int64(d)*24*60*60, 0).UTC()
			return min(asOfDay, day(t.Year(), t.Month()+1, 1)-1)
		}
		return d
	}
}

// place fills address, city, state, zip, point and what hangs on them.
func (g *generator) place() {
	g.cells[colAddress] = textValue(g.address())
	switch u := g.Float64(); {
	case u < 0.016:
		g.cells[colAddress] = textValue("0000 Undeliverable Mail")
	case u < 0.0165:
		g.cells[colAddress] = textValue("9999 Undeliverable St")
	case u < 0.022:
		g.cells[colAddress].text += " #"
	}
	u := g.Float64()
	inCity := u < shareCity+shareMisspelled
	if inCity {
		city := "San Francisco"
		if u >= shareCity {
			city = citySpellings[g.choose(g.spelling)].word
		}
		n := g.choose(g.neighborhood)
		g.inCity(city, &neighborhoods[n], n)
		return
	}
	u -= shareCity + shareMisspelled
	city, state, zip := "", "CA", ""
	switch {
	case u < shareNoCity:
		state = ""
	case u < shareNoCity+shareOdd:
		city = oddCities[g.choose(g.oddCity)].word
		if g.chance(0.6) {
			state = oneOf(g, oddStates[:])
		} else if g.chance(0.5) {
			state = ""
		}
		zip = oneOf(g, oddZips[:])
	case u < shareNoCity+shareOdd+shareSouth:
		city, zip = southCitySpellings[g.choose(g.southCity)].word, "94080"
	case u < shareNoCity+shareOdd+shareSouth+shareFarAway:
		f := farCities[int(float64(len(farCities))*g.Float64()*g.Float64())]
		city, state, zip = f.name, f.state, f.zip+fmt.Sprintf("%02d", g.IntN(45))
	default:
		city, zip = nearCities[g.choose(g.nearCity)].word, "94"+fmt.Sprintf("%03d", 5+g.IntN(490))
		if g.chance(0.1) { // a small town
			city = oneOf(g, lastBegins[:]) + oneOf(g, lastEnds[:])
			zip = "9" + fmt.Sprintf("%04d", 5300+g.IntN(800))
		}
	}
	g.address3(colCity, colState, colZip, city, state, zip)
	g.awayPoint(state)
}

// address3 sets city, state and zip as far as they are not empty.
func (g *generator) address3(colCity, colState, colZip int, city, state, zip string) {
	if city != "" {
		g.cells[colCity] = textValue(city)
	}
	if state != "" {
		g.cells[colState] = textValue(state)
	}
	if g.chance(0.004) && len(zip) == 5 {
		zip += fmt.Sprintf("-%04d", g.IntN(10_000))
	}
	if zip != "" {
		g.cells[colZip] = textValue(zip)
	}
}

// inCity fills a row of a neighborhood.
func (g *generator) inCity(city string, n *neighborhoodWords, index int) {
	state, zip := "CA", n.zips[0]
	if len(n.zips) > 1 && g.chance(0.4) {
		zip = oneOf(g, n.zips)
	}
	switch u := g.Float64(); {
	case u < 0.0012:
		zip = oneOf(g, oddZips[:])
	case u < 0.0015:
		state = "ca"
	case u < 0.002:
		zip = ""
	}
	g.address3(colCity, colState, colZip, city, state, zip)
	if city != "San Francisco" && g.chance(0.3) || g.chance(shareLostInCity) {
		switch u := g.Float64(); {
		case u < 0.25: // no point
		case u < 0.55:
			g.outsidePoint("CA")
		default:
			g.point(n.point(g.Uint64()))
		}
		return
	}
	g.cells[colNeighborhood] = textValue(n.name)
	district := g.IntN(100)
	for _, d := range n.districts {
		if district -= d.share; district < 0 {
			g.cells[colDistrict] = textValue(d.number)
			break
		}
	}
	if g.chance(0.11) {
		g.cells[colCorridor] = textValue(corridors[(index+g.IntN(3))%len(corridors)])
	}
	if g.chance(0.15) {
		g.cells[colBenefitDistrict] = textValue(benefitDistricts[(index+g.IntN(2))%len(benefitDistricts)])
	}
	g.point(n.point(g.Uint64()))
	for i := range computedRegions {
		g.cells[colRegions+i] = numberValue(n.region(index, i))
	}
}

// awayPoint gives a row of elsewhere its point: mostly outside the city's box, else none, the common one, or a wrong
// one inside.
func (g *generator) awayPoint(state string) {
	switch u := g.Float64(); {
	case u < shareOutsideAway:
		g.outsidePoint(state)
	case u < shareOutsideAway+shareNoPointAway:
	case u < shareOutsideAway+shareNoPointAway+shareCommonAway:
		g.point(-122.419416, 37.774929)
	default:
		g.point(neighborhoods[g.choose(g.neighborhood)].point(g.Uint64()))
	}
}

// outsidePoint is a point outside the box -122.55..-122.33, 37.69..37.84.
func (g *generator) outsidePoint(state string) {
	u := g.Float64()
	switch {
	case u < 0.0005:
		g.point(153.0+g.Float64(), -28+g.Float64())
	case u < 0.001:
		g.point(-150+g.Float64(), 64+g.Float64())
	case state == "CA" && g.chance(0.9):
		g.point(-122.32+g.Float64()*0.6, 37.2+g.Float64()*0.9)
	default:
		g.point(-121+g.Float64()*48, 26+g.Float64()*21)
	}
}

func (g *generator) point(lon, lat float64) {
	b := make([]byte, 0, 24)
	b = strconv.AppendFloat(b, math.Round(lon*1e6)/1e6, 'f', -1, 64)
	b = append(b, ',')
	b = strconv.AppendFloat(b, math.Round(lat*1e6)/1e6, 'f', -1, 64)
	g.cells[colPoint] = value{kind: kindPoint, set: true, text: string(b)}
}

// point is a place in the neighborhood, inside the city's box; h chooses which.
func (n *neighborhoodWords) point(h uint64) (lon, lat float64) {
	spread := func(bits uint64) float64 { return float64(bits&0xffff)/0xffff*2 - 1 }
	lon = math.Round((n.lon+n.lonSpread*spread(h))*1e6) / 1e6
	lat = math.Round((n.lat+n.latSpread*spread(h>>16))*1e6) / 1e6
	return lon, min(lat, 37.8395)
}

// region is the number of the i-th computed region that a neighborhood lies in.
func (n *neighborhoodWords) region(index, i int) string {
	switch i {
	case 1:
		return strconv.Itoa(1 + index*7%10)
	case 2:
		return n.districts[0].number
	case 3:
		return strconv.Itoa(1 + index)
	default:
		return strconv.Itoa(1 + (index*3+i*11)%117)
	}
}

// address is a house, sometimes with a unit.
func (g *generator) address() string {
	b := make([]byte, 0, 32)
	b = strconv.AppendInt(b, int64(1+g.IntN(1800)), 10)
	b = append(b, ' ')
	b = append(b, oneOf(g, streets[:])...)
	switch u := g.Float64(); {
	case u < 0.1:
		b = append(b, " #"...)
	case u < 0.16:
		b = append(b, " Ste "...)
	case u < 0.2:
		b = append(b, " Apt "...)
	default:
		return string(b)
	}
	return string(strconv.AppendInt(b, int64(1+g.IntN(900)), 10))
}

// mail fills the mailing address: mostly the same, or the owner's home; a quarter has none.
func (g *generator) mail() {
	if g.chance(0.25) {
		return
	}
	if g.chance(0.6) {
		g.cells[colMailAddress] = g.cells[colAddress]
		g.cells[colMailCity], g.cells[colMailState], g.cells[colMailZip] = g.cells[colCity], g.cells[colState], g.cells[colZip]
		return
	}
	g.cells[colMailAddress] = textValue(g.address())
	city, zip := "San Francisco", oneOf(g, neighborhoods[g.choose(g.neighborhood)].zips)
	if g.chance(0.3) {
		city, zip = nearCities[g.choose(g.nearCity)].word, "94"+fmt.Sprintf("%03d", 5+g.IntN(490))
	}
	g.address3(colMailCity, colMailState, colMailZip, city, "CA", zip)
}

// industry fills the industry code, which most rows lack.
func (g *generator) industry(s int, recent bool, ended int) {
	missing := shareNoCode
	switch {
	case recent:
		missing = shareNoCodeRecent
	case ended >= cleanupDay:
		missing = shareNoCodeClosed
	}
	if g.chance(missing) {
		return
	}
	code, description, list := "", "", ""
	switch u := g.Float64(); {
	case u < 0.25:
		code, description = sectors[s].code, sectors[s].name
		list = description
	case u < 0.28:
		other := sectors[(s+1+g.IntN(len(sectors)-1))%len(sectors)]
		code, description = sectors[s].code+" "+other.code, "Multiple"
		list = sectors[s].name + "; " + other.name
	case u < 0.29:
		code = oneOf(g, junkCodes[:])
	case u < 0.95:
		code = oneOf(g, sectors[s].codes)
		if u > 0.73 { // shortened by who filled the form
			code = code[:2+g.IntN(4)]
		}
	default:
		code = oneOf(g, sectors[s].codes)[:3]
		for range g.IntN(4) {
			code += strconv.Itoa(g.IntN(10))
		}
	}
	g.cells[colNAICS] = textValue(code)
	if g.vintage == BeforeJuly2026 && description != "" {
		g.cells[colNAICSDescription], g.cells[colNAICSDescriptions] = textValue(description), textValue(list)
	}
}

// licenses fills the license codes, which 96 % lack.
func (g *generator) licenses() {
	if g.chance(0.96) {
		return
	}
	first := g.IntN(len(licenses))
	codes, descriptions := []string{licenses[first].code}, []string{licenses[first].description}
	for i := first + 1; i < len(licenses) && g.chance(0.4); i++ {
		codes, descriptions = append(codes, licenses[i].code), append(descriptions, licenses[i].description)
	}
	g.cells[colLic] = textValue(strings.Join(codes, " "))
	g.cells[colLicDescription] = textValue(descriptions[0])
	if len(codes) > 1 {
		g.cells[colLicDescription] = textValue("Multiple")
	}
	g.cells[colLicDescriptions] = textValue(strings.Join(descriptions, "; "))
}
