// The chat on any site: <script src="https://chat.isp.example/widget.js" data-account="loja" async></script>
// For a customer who is logged in there: data-identity="…", what the site signed, or a function
// window.correntezaIdentity that gives it. What the site's pages look like does not reach inside, and
// nothing of ours reaches out.
(() => {
  const script = document.currentScript;
  const base = new URL(script.src).origin;
  const account = script.dataset.account || "site";
  const identity = script.dataset.identity || window.correntezaIdentity;
  const start = async () => {
    const { startWidget } = await import(`${base}/chat/widget_panel.js`);
    startWidget({ base, account, identity });
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
