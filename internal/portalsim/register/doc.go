// Package register invents business registers with the profile of San
// Francisco's, dirt included. Places are the city's own. Owners and businesses
// are put together from plain words, so that none of them is anyone in
// particular.
//
// It serves nothing and changes no row: that is the simulated portal's part.
// The portal, deploy/dev and tests import it.
package register
