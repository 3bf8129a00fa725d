// Package product builds Padron's programs from the checkout and runs them on a
// stack: the worker, which serves the dashboard too, and the starter. It also
// builds what the dashboard's pages load in the browser.
package product
