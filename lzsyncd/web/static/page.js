"use strict";
// What the page does beyond links and forms. Without it everything but uploading several files at once still works.

// on a phone the menu scrolls: show where we are
const here = document.querySelector(".side nav [aria-current]");
if (here) here.scrollIntoView({ block: "nearest", inline: "center" });

// -- uploading: each file is the body of a request; when all are there, they get their names

const form = document.getElementById("upload");
if (form) {
  const input = form.querySelector("input[type=file]"), list = form.querySelector(".uploads"), drop = form.querySelector(".drop");
  const button = form.querySelector("button"), problem = form.querySelector(".problem"), hint = document.getElementById("upload-hint");
  const names = form.dataset.names.split(" ");
  const chosen = new Map();

  const complaint = (file) =>
    !names.includes(file.name) ? `not a name of a file of this site; ${names.slice(0, 3).join(", ")}` :
    file.size > Number(form.dataset.limit) ? "too large" : "";

  const show = () => {
    list.replaceChildren();
    for (const [name, entry] of chosen) {
      const row = document.createElement("li"), title = document.createElement("b"), note = document.createElement("span");
      entry.bar = document.createElement("progress");
      entry.bar.max = 1; entry.bar.value = 0; entry.bar.setAttribute("aria-label", `${name}, uploaded`);
      entry.note = note;
      const wrong = complaint(entry.file);
      title.textContent = name;
      note.textContent = wrong || `${entry.file.size.toLocaleString("en")} bytes`;
      note.className = wrong ? "wrong" : "dim";
      row.append(title, note, entry.bar);
      list.append(row);
    }
    const good = chosen.size && [...chosen.values()].every((entry) => !complaint(entry.file));
    button.disabled = !good;
    hint.textContent = good ? "" : chosen.size ? "Choose again: a name is not right." : "Choose one file or more.";
  };

  const take = (files) => {
    if ([...files].some((file) => complaint(file)) || [...chosen.values()].some((entry) => complaint(entry.file))) chosen.clear();
    for (const file of files) chosen.set(file.name, { file });
    show();
  };
  input.addEventListener("change", () => take(input.files));
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });

  const send = (method, address, body, type, bar) => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.setRequestHeader("x-lzsyncd", "1");
    request.setRequestHeader("x-csrf", form.dataset.csrf);
    request.setRequestHeader("content-type", type);
    if (bar) request.upload.addEventListener("progress", (event) => { if (event.lengthComputable && event.total) bar.value = event.loaded / event.total; });
    request.addEventListener("load", () => request.status < 300 ? done(request.responseText) : failed(new Error(request.responseText)));
    request.addEventListener("error", () => failed(new Error("The connection broke off. Try again.")));
    request.send(body);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true; problem.hidden = true;
    try {
      for (const [name, entry] of chosen) {
        await send("PUT", `${form.dataset.to}/${encodeURIComponent(name)}`, entry.file, "text/csv", entry.bar);
        entry.bar.value = 1; entry.note.textContent = "uploaded";
      }
      const csrf = new URLSearchParams({ csrf: form.dataset.csrf });
      location.assign(await send("POST", form.dataset.to, csrf, "application/x-www-form-urlencoded"));
    } catch (error) {
      problem.textContent = error.message; problem.hidden = false; button.disabled = false;
    }
  });
}
