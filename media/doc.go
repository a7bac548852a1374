// Package media keeps pictures and films in the room's media folder: it takes
// them in ([Shelf.Put]), says what they are ([Probe]) and gives them out in the
// form that a platform takes ([Shelf.Fit]).
//
// A file lies under the hash of what is in it, so that one that many posts use is
// there once, and what goes out is what was checked:
//
//	media/pinned/3f/3fa9…      as it was taken
//	media/made/3f/3fa9…-K.jpg  made of it for a platform; K tells the bounds
//
// Beside these two folders the media folder belongs to people, who name files in
// it from their calendars.
//
// The package fetches nothing, and of a platform it knows the limits alone. It
// believes no file: what one claims of itself is bounded before it costs memory or
// time.
package media
