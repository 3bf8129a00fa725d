// Package crawl works on the pages of a crawl: it cleans a raw page, holds its rows
// against what is stored on the way, keeps with each page what later steps must
// know of it (Summary), and finds the landed pages of an earlier crawl.
//
// It never asks the portal and never writes a row to the mirror. Only activities
// import it.
package crawl
