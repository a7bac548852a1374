(function () {
  "use strict";
  var form = document.getElementById("filter");
  if (!form) return;
  var words = form.elements.words, status = form.elements.status, shown = document.getElementById("shown");
  var rows = Array.prototype.slice.call(document.querySelectorAll("table.posts tbody tr"));
  var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
  function filter() {
    var want = words.value.toLowerCase().split(/\s+/).filter(Boolean), n = 0;
    rows.forEach(function (row, i) {
      var fits = (!status.value || row.dataset.status === status.value) && want.every(function (w) { return texts[i].indexOf(w) >= 0; });
      row.hidden = !fits;
      if (fits) n++;
    });
    shown.textContent = n === rows.length ? "" : n + " of " + rows.length;
  }
  rows.map(function (row) { return row.dataset.status; }).sort().forEach(function (s, i, all) {
    if (s !== all[i - 1]) status.add(new Option(s, s));
  });
  form.addEventListener("input", filter);
  form.addEventListener("reset", function () { setTimeout(filter, 0); });
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  form.hidden = false;
})();
