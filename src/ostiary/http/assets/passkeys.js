// Ceremonies of passkeys, on the pages that have one. It talks to this site alone; without it they say what else helps.
"use strict";
(() => {
  const each = (selector, work) => document.querySelectorAll(selector).forEach(work);

  // Passkeys: the server says what is to be signed, the browser asks its owner, and the form carries the answer.
  const TROUBLE = {
    NotAllowedError: "That was cancelled, or it took too long. You can try again.",
    InvalidStateError: "This device has a passkey of your account already.",
    SecurityError: "Passkeys do not work at this address.",
  };
  const RENEWED = 240000;  // what was asked for is good for five minutes
  each("form[data-passkey]", (form) => {
    const api = window.PublicKeyCredential;
    const button = form.querySelector("button[data-ceremony]"), said = form.querySelector("[data-said]");
    if (!api?.parseRequestOptionsFromJSON || !button || !said) return;
    const makes = form.dataset.passkey === "create";
    let asking;
    const ask = async (mediation) => {
      asking?.abort();
      asking = new AbortController();
      const { signal } = asking;
      const { csrf_token: token } = form.elements;
      const headers = token ? { "x-csrf-token": token.value } : {};
      const given = { method: "POST", headers, signal };
      if (form.dataset.sends) {
        const names = form.dataset.sends.split(" ");
        headers["content-type"] = "application/json";
        given.body = JSON.stringify(Object.fromEntries(names.map((name) => [name, form.elements[name].value])));
      }
      const answer = await fetch(form.dataset.options, given);
      const told = await answer.json();
      if (told.attempt) form.elements.attempt.value = told.attempt;  // what was drawn is sealed in it
      if (!answer.ok) throw new Error(told.errors?.[0]?.message ?? told.title);
      const options = told.options ?? told.challenge.options;
      const credential = makes
        ? await navigator.credentials.create({ publicKey: api.parseCreationOptionsFromJSON(options), signal })
        : await navigator.credentials.get({ publicKey: api.parseRequestOptionsFromJSON(options), mediation, signal });
      form.elements.response.value = JSON.stringify(credential.toJSON());
      form.submit();
    };
    // The browser offers passkeys where the name is typed, for as long as the page is open.
    const offer = () => { ask("conditional").catch(() => {}); };
    let offers = false;
    button.addEventListener("click", async () => {
      said.textContent = "";
      // What was typed into the form for passwords counts here, too.
      for (const copy of form.querySelectorAll("[data-typed]")) {
        const typed = document.getElementById(copy.dataset.typed);
        if (!typed.reportValidity()) return;
        copy.value = typed.value;
      }
      button.setAttribute("aria-busy", "true");
      const box = document.querySelector("input[type=checkbox][name=remember]");
      if (box && box.form !== form) {  // it stands in the form for passwords
        form.elements.remember?.remove();
        if (box.checked) {
          const kept = document.createElement("input");
          kept.type = "hidden";
          kept.name = "remember";
          kept.value = "on";
          form.append(kept);
        }
      }
      try {
        await ask("optional");
      } catch (error) {
        button.removeAttribute("aria-busy");
        said.textContent = TROUBLE[error.name] ?? error.message;
        if (offers) offer();
      }
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); button.click(); });
    each("[data-scriptless]", (words) => { words.hidden = true; });
    form.hidden = button.hidden = false;
    if (!("autofill" in form.dataset)) return;
    api.isConditionalMediationAvailable?.().then((can) => {
      if (!can) return;
      offers = true;
      offer();
      setInterval(() => { if (!button.hasAttribute("aria-busy")) offer(); }, RENEWED);
    });
  });
})();
