"use strict";
// What the page does beyond links and forms. Without it everything but uploading several files at once still works.

// on a phone the menu scrolls: show where we are
const here = document.querySelector(".side nav [aria-current]");
if (here) here.scrollIntoView({ block: "nearest", inline: "center" });
