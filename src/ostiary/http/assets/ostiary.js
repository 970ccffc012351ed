// Conveniences only: every page works without this file. It talks to nobody.
"use strict";
(() => {
  const each = (selector, work) => document.querySelectorAll(selector).forEach(work);

  // Show or hide what is typed into a password field.
  each("button[data-peek]", (button) => {
    const input = document.getElementById(button.dataset.peek);
    if (!input) return;
    const say = () => {
      const shown = input.type === "text";
      button.textContent = shown ? "Hide" : "Show";
      button.setAttribute("aria-label", shown ? "Hide password" : "Show password");
    };
    button.hidden = false;
    say();
    button.addEventListener("click", () => {
      input.type = input.type === "password" ? "text" : "password";
      say();
    });
    // Browsers remember text fields, never passwords.
    input.form?.addEventListener("submit", () => { input.type = "password"; say(); });
  });

  // A rough estimate in bits: a hint and nothing more, made here alone. The rules are the server's.
  const LOOKED_AT = 128;
  const GRADES = [20, 35, 50, 65];
  const WORDS = ["Very easy to guess", "Easy to guess", "Could be better", "Good", "Very good"];
  const PLAIN = /(?:pass\s?w(?:or|0r)d|qwert[yz]|letmein|welcome|iloveyou|admin|monkey|dragon|abc123|12345)/g;
  const kind = (c) => c > "\x7f" ? "o" : /\d/.test(c) ? "d" : /[a-z]/.test(c) ? "l" : /[A-Z]/.test(c) ? "u" : "s";
  const BITS = { o: 6, d: 3, l: 2.75, u: 2.75, s: 4 };
  const grade = (typed, context) => {
    let text = typed.slice(0, LOOKED_AT);
    for (const word of context) {
      const at = text.toLowerCase().indexOf(word);
      if (at >= 0) text = text.slice(0, at) + text.slice(at + word.length);
    }
    text = text.replace(PLAIN, "p").replace(/(.{1,6}?)\1{2,}/g, "$1");
    let bits = 0;
    for (let at = 0; at < text.length; at++) {
      const c = text[at], before = text[at - 1];
      if (before && Math.abs(c.charCodeAt(0) - before.charCodeAt(0)) <= 1) { bits += 0.5; continue; }
      bits += BITS[kind(c)] + (before && kind(before) !== kind(c) ? 1.5 : 0);
    }
    return GRADES.filter((least) => bits >= least).length;
  };
  each("[data-strength]", (meter) => {
    const input = document.getElementById(meter.dataset.strength);
    if (!input) return;
    const words = meter.querySelector("p");
    let later;
    input.addEventListener("input", () => {
      meter.hidden = !input.value;
      if (!input.value) { words.textContent = ""; return; }
      const context = [];
      for (const name of ["email", "name"]) {
        const typed = input.form.elements[name]?.value.toLowerCase() ?? "";
        context.push(...typed.slice(0, 320).split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2));
      }
      const found = grade(input.value, context);
      meter.dataset.grade = found;
      clearTimeout(later);
      later = setTimeout(() => { words.textContent = `Strength: ${WORDS[found].toLowerCase()}`; }, 250);
    });
  });

  // Codes are pasted with spaces and dashes around them.
  each("input[data-digits]", (input) => {
    input.addEventListener("input", () => {
      const digits = input.value.replace(/[^0-9]/g, "").slice(0, 6);
      if (digits !== input.value && input.selectionEnd === input.value.length) input.value = digits;
    });
  });

  // Codes that are shown once go to the clipboard, or to the printer; the download needs no script.
  each("button[data-copy]", (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) return;
    const before = button.textContent;
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      const words = [...source.querySelectorAll("code")].map((one) => one.textContent).join("\n");
      const copied = await navigator.clipboard.writeText(words).then(() => true, () => false);
      button.textContent = copied ? "Copied" : "Not allowed here";
      setTimeout(() => { button.textContent = before; }, 4000);
    });
  });
  each("button[data-print]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });

  // One click, one submission. Coming back by the back button makes forms usable again.
  each("form", (form) => form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    form.querySelector("button[type=submit]")?.setAttribute("aria-busy", "true");
    setTimeout(() => { delete form.dataset.sent; }, 8000);
  }));
  addEventListener("pageshow", () => each("form", (form) => {
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }));

  // Screen readers and keyboards start at what went wrong, also where `autofocus` is for inputs only.
  addEventListener("load", () => setTimeout(() => {
    if (document.activeElement === document.body) document.getElementById("problems")?.focus();
  }, 250));
})();
