// The chat's markup, the same on our page and in a widget. Words are filled in from words.js: data-word
// the text, data-label the accessible name.

/** `base`: where we are, as seen from the page this is on. */
export const panel = (base) => `
  <div class="chat" id="chat">
    <header class="top">
      <img class="mark" src="${base}/chat/mark.svg" alt="" width="38" height="38">
      <div class="top-text">
        <h1 data-word="title"></h1>
        <p class="status" id="status" role="status" data-testid="status" data-kind="bot"><i></i><span></span></p>
      </div>
      <button class="round" id="about-open" type="button" data-label="about.open" aria-haspopup="dialog"><svg class="icon" aria-hidden="true"><use href="#i-more"/></svg></button>
      <button class="round" id="shut" type="button" data-label="shut" data-testid="chat-shut" hidden><svg class="icon" aria-hidden="true"><use href="#i-shut"/></svg></button>
    </header>
    <div class="protocol-bar" id="protocol-bar" hidden>
      <span data-word="protocol"></span>
      <b id="protocol" data-testid="protocol"></b>
      <button class="text-button" id="protocol-copy" type="button" data-word="copy"></button>
    </div>
    <div class="banner" id="banner" role="status" data-testid="connection" data-state="connecting" hidden>
      <span class="spinner" aria-hidden="true"></span>
      <span id="banner-text"></span>
      <button class="text-button" id="banner-retry" type="button" data-word="connection.retry" hidden></button>
    </div>

    <div class="log-wrap" role="group" data-label="log">
      <div class="log-scroll" id="log-scroll" tabindex="-1">
        <section class="intro" id="intro" aria-labelledby="intro-title">
          <h2 id="intro-title" data-word="intro.title"></h2>
          <p data-word="intro.text"></p>
          <div class="chips" id="chips" role="group" data-label="intro.chips"></div>
          <label class="name"><span data-word="intro.name"></span>
            <input id="name" type="text" maxlength="60" autocomplete="given-name" enterkeyhint="done" data-placeholder="intro.namePlaceholder" data-testid="name"></label>
        </section>
        <ol class="log" id="log" role="log" aria-live="polite" aria-relevant="additions" data-label="log" data-testid="log"></ol>
        <p class="cue" id="cue" data-testid="thinking" hidden><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span><span id="cue-text"></span></p>
      </div>
      <button class="newer" id="newer" type="button" hidden><svg class="icon" aria-hidden="true"><use href="#i-down"/></svg><span data-word="newer"></span></button>
    </div>

    <form class="composer" id="composer">
      <label class="heard" for="text" data-word="composer.label"></label>
      <textarea id="text" rows="1" maxlength="4000" data-placeholder="composer.placeholder" data-testid="chat-input" aria-describedby="composer-hint"></textarea>
      <button class="send" id="send" type="submit" data-label="composer.send" data-testid="chat-send" disabled><svg class="icon" aria-hidden="true"><use href="#i-send"/></svg></button>
      <span class="heard" id="composer-hint"></span>
    </form>
  </div>

  <dialog id="about" aria-labelledby="about-title">
    <form method="dialog">
      <h2 id="about-title" data-word="about.title"></h2>
      <p data-word="about.text"></p>
      <div class="dialog-foot">
        <button class="plain danger" id="forget" type="button" data-word="about.forget" data-testid="forget"></button>
        <button class="plain" data-word="about.close" autofocus></button>
      </div>
    </form>
  </dialog>

  <svg hidden aria-hidden="true">
    <symbol id="i-send" viewBox="0 0 24 24"><path d="M5 12 4 4l17 8-17 8zM5 12h8"/></symbol>
    <symbol id="i-shut" viewBox="0 0 24 24"><path d="M6 6l12 12M18 6 6 18"/></symbol>
    <symbol id="i-chat" viewBox="0 0 24 24"><path d="M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z"/></symbol>
    <symbol id="i-more" viewBox="0 0 24 24"><path d="M12 5.5v.01M12 12v.01M12 18.5v.01"/></symbol>
    <symbol id="i-down" viewBox="0 0 24 24"><path d="M12 5v14M6 13l6 6 6-6"/></symbol>
    <symbol id="i-clock" viewBox="0 0 24 24"><circle cx="12" cy="12" r="8"/><path d="M12 8v4l3 2"/></symbol>
    <symbol id="i-sent" viewBox="0 0 24 24"><path d="m5 13 4.5 4.5L19 8"/></symbol>
    <symbol id="i-received" viewBox="0 0 24 24"><path d="m2 13 4.5 4.5L16 8M11.5 16l1.5 1.5L22.5 8"/></symbol>
    <symbol id="i-bot" viewBox="0 0 24 24"><path d="M12 4v3M6 7h12a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM9 12v1.5M15 12v1.5"/></symbol>
    <symbol id="i-agent" viewBox="0 0 24 24"><circle cx="12" cy="8" r="4"/><path d="M4 20c1-4 4-6 8-6s7 2 8 6"/></symbol>
    <symbol id="i-queue" viewBox="0 0 24 24"><path d="M7 3h10M7 21h10M8 3c0 5 8 5 8 9s-8 4-8 9M16 3c0 5-8 5-8 9s8 4 8 9"/></symbol>
    <symbol id="i-over" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.7 2.7L16 10"/></symbol>
  </svg>
`;
