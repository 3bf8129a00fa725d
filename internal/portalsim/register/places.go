package register

import (
	"fmt"
	"strconv"

	"padron/internal/portalsim/store"
)

// place fills address, city, state and zip, the point, and what depends on it.
func (g *generator) place() {
	g.setText(colAddress, g.address())
	switch u := g.Float64(); {
	case u < 0.016:
		g.setText(colAddress, "0000 Undeliverable Mail")
	case u < 0.0165:
		g.setText(colAddress, "9999 Undeliverable St")
	case u < 0.022:
		g.cells[colAddress].Text += " #"
	}
	u := g.Float64()
	if u < shareCity+shareMisspelled {
		city := "San Francisco"
		if u >= shareCity {
			city = citySpellings[g.choose(g.spelling)].word
		}
		g.inCity(city, g.choose(g.neighborhood))
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
	g.setCity(colCity, city, state, zip)
	g.awayPoint(state)
}

// setCity sets city, state and zip, as far as they are not empty. The columns
// are neighbors, col is the first.
func (g *generator) setCity(col int, city, state, zip string) {
	if city != "" {
		g.setText(col, city)
	}
	if state != "" {
		g.setText(col+1, state)
	}
	if g.chance(0.004) && len(zip) == 5 {
		zip += fmt.Sprintf("-%04d", g.IntN(10_000))
	}
	if zip != "" {
		g.setText(col+2, zip)
	}
}

// inCity fills a row of a neighborhood, given by its index.
func (g *generator) inCity(city string, index int) {
	n := &neighborhoods[index]
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
	g.setCity(colCity, city, state, zip)
	if city != "San Francisco" && g.chance(0.3) || g.chance(shareLostInCity) {
		switch u := g.Float64(); {
		case u < 0.25: // no point
		case u < 0.55:
			g.outsidePoint("CA")
		default:
			g.setPoint(n.point(g.Uint64()))
		}
		return
	}
	g.setText(colNeighborhood, n.name)
	percent := g.IntN(100)
	for _, d := range n.districts {
		if percent -= d.percent; percent < 0 {
			g.setText(colDistrict, d.district)
			break
		}
	}
	if g.chance(0.11) {
		g.setText(colCorridor, corridors[(index+g.IntN(3))%len(corridors)])
	}
	if g.chance(0.15) {
		g.setText(colBenefitDistrict, benefitDistricts[(index+g.IntN(2))%len(benefitDistricts)])
	}
	g.setPoint(n.point(g.Uint64()))
	for i := range computedRegions {
		g.cells[colRegions+i] = store.NumberValue(n.region(index, i))
	}
}

// awayPoint gives a row of elsewhere its point: mostly outside the city's box,
// otherwise none, the most common one, or a wrong one inside.
func (g *generator) awayPoint(state string) {
	switch u := g.Float64(); {
	case u < shareOutsideAway:
		g.outsidePoint(state)
	case u < shareOutsideAway+shareNoPointAway:
	case u < shareOutsideAway+shareNoPointAway+shareCommonAway:
		g.setPoint(-122.419416, 37.774929)
	default:
		g.setPoint(neighborhoods[g.choose(g.neighborhood)].point(g.Uint64()))
	}
}

// outsidePoint sets a point outside the box -122.55..-122.33, 37.69..37.84.
func (g *generator) outsidePoint(state string) {
	u := g.Float64()
	switch {
	case u < 0.0005:
		g.setPoint(153.0+g.Float64(), -28+g.Float64())
	case u < 0.001:
		g.setPoint(-150+g.Float64(), 64+g.Float64())
	case state == "CA" && g.chance(0.9):
		g.setPoint(-122.32+g.Float64()*0.6, 37.2+g.Float64()*0.9)
	default:
		g.setPoint(-121+g.Float64()*48, 26+g.Float64()*21)
	}
}

// address invents a street address, sometimes with a unit.
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

// mail fills the mailing address: mostly the location's, otherwise the owner's
// home. A quarter of the rows has none.
func (g *generator) mail() {
	if g.chance(0.25) {
		return
	}
	if g.chance(0.6) {
		g.cells[colMailAddress] = g.cells[colAddress]
		g.cells[colMailCity], g.cells[colMailState], g.cells[colMailZip] = g.cells[colCity], g.cells[colState], g.cells[colZip]
		return
	}
	g.setText(colMailAddress, g.address())
	city, zip := "San Francisco", oneOf(g, neighborhoods[g.choose(g.neighborhood)].zips)
	if g.chance(0.3) {
		city, zip = nearCities[g.choose(g.nearCity)].word, "94"+fmt.Sprintf("%03d", 5+g.IntN(490))
	}
	g.setCity(colMailCity, city, "CA", zip)
}
