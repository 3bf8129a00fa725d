package register

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// account is who pays the tax: an owner with one or more locations.
type account struct {
	certificate string
	owner, dba  string
	sector      int
	start       int // day
	next        int // the number of the next location, in keys of before the migration
	chain       bool
}

// newAccount invents an owner, a business and its line of business.
func (g *generator) newAccount(certificate string, start int) account {
	a := account{certificate: certificate, start: start, next: 1, sector: g.choose(g.sector)}
	trade := oneOf(g, sectors[a.sector].trades)
	shop := g.shop(trade)
	first, last := oneOf(g, firstNames[:]), oneOf(g, lastBegins[:])+oneOf(g, lastEnds[:])
	if g.Float64() < 0.48 { // a sole owner
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
	} else { // a company
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

// remember keeps an account for further locations. A chain takes several
// places, so that it grows.
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

// oldRows makes n locations with the keys of before the migration: certificate,
// number of the location, 001.
func (g *generator) oldRows(n int) {
	if n == 0 {
		return
	}
	// Certificates run from 24 to 499,999. Registers with more rows than those
	// hold use the numbers up to 999,999.
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
		last := certificate > 999_900 // the last account takes the rest of the rows
		for first := true; made < n && a.next < 100; first = false {
			if !first && !last && !(g.chance(0.26) || a.chain && g.chance(0.85)) {
				break
			}
			suffix := "001"
			switch u := g.Float64(); {
			case u < 0.01:
				suffix = "999"
			case u < 0.03:
				suffix = "002"
			}
			number := a.next
			a.next += 1 + g.IntN(2)
			if first && g.chance(0.005) {
				number, suffix = 0, "000"
			}
			opened := start
			if g.chance(0.4) {
				opened = start + g.IntN(max(1, migrationDay-start))
			}
			g.row(&a, fmt.Sprintf("%s-%02d-%s", a.certificate, number, suffix), start, opened, min(opened, migrationDay))
			made++
		}
		g.remember(a)
	}
}

// newRows makes n locations with the keys of since the migration: a running
// number, then month and year of the registration.
func (g *generator) newRows(n int) {
	number, certificate := 1_000_001, 1_000_001
	const numbers = 406_000 // given out in the real register until 2026
	step := max(1, numbers/max(1, n))
	for i := range n {
		registered := migrationDay + 45 + (asOfDay-migrationDay-45)*i/n
		number += 1 + g.IntN(max(1, 2*step-1))
		t := date(registered)
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

// oldStart is the day on which a business of before the migration began: in
// 1848 at the earliest, often on a day that looks like a default.
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
		if g.chance(0.25) { // the first of a month
			t := date(d)
			return day(t.Year(), t.Month(), 1)
		}
		return d
	}
}

// dates decides when a location and its business began and ended. It returns
// the day on which either ended, 0 when neither has.
func (g *generator) dates(started, opened, registered int, recent bool) (ended int) {
	if g.chance(0.0002) {
		opened = asOfDay + 1 + g.IntN(820) // up to 2028
	}
	g.setDate(colDBAStart, started)
	g.setDate(colLocationStart, opened)
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
		g.setDate(colLocationEnd, ended)
	case u < open+locationEnd+shareBusinessEnd:
		g.setDate(colDBAEnd, ended)
	default:
		g.setDate(colLocationEnd, ended)
		businessEnd := ended
		if g.chance(0.2) && ended < asOfDay {
			businessEnd += g.IntN(asOfDay - ended)
		}
		if !recent && g.chance(shareAdministered) {
			g.setText(colAdministered, "***Administratively Closed")
			businessEnd = ended
		}
		g.setDate(colDBAEnd, businessEnd)
	}
	return ended
}

// ended is a day on which a location was closed. Some lie before it opened,
// some far in the future.
func (g *generator) ended(opened, registered int) int {
	from := max(opened, registered, day(2013, time.January, 1))
	switch u := g.Float64(); {
	case u < 0.03:
		return opened
	case u < 0.042:
		return opened - 1 - g.IntN(400)
	case u < 0.0424:
		return asOfDay + 1 + g.IntN(179*365) // up to 2205
	case from < day(2018, time.June, 1) && g.chance(0.22): // the cleanup of 2018
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
			t := date(d)
			return min(asOfDay, day(t.Year(), t.Month()+1, 1)-1)
		}
		return d
	}
}
