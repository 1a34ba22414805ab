// Everything a customer reads on the chat page and in the widget that does not come from the server, in Brazilian
// Portuguese, and nowhere else.

const minutes = (seconds) => Math.max(1, Math.round(seconds / 60));

export const words = {
  title: "Atendimento",
  titleWithNews: (n) => `(${n}) ${words.title}`,
  log: "Conversa",
  newer: "Novas mensagens",
  open: "Abrir atendimento",
  openWithNews: (n) => `Abrir atendimento (${n} ${n === 1 ? "mensagem nova" : "mensagens novas"})`,
  shut: "Fechar atendimento",
  protocol: "Protocolo",
  copy: "Copiar",
  copied: "Copiado",
  intro: {
    title: "Olá! Como podemos ajudar?",
    text: "Escreva com as suas palavras. O assistente responde na hora o que puder e passa para uma pessoa quando for preciso.",
    chips: "Sugestões de assunto",
    name: "Seu nome (opcional)",
    namePlaceholder: "Como podemos chamar você?",
    suggestions: ["Minha internet caiu", "Quero a segunda via do boleto", "Internet lenta", "Falar com um atendente"],
  },
  composer: {
    label: "Sua mensagem",
    placeholder: "Escreva sua mensagem…",
    send: "Enviar mensagem",
    hintEnter: "Enter envia, Shift+Enter pula linha.",
    hintTouch: "Use o botão Enviar.",
  },
  status: {
    bot: "Assistente virtual",
    queued: "Aguardando atendente",
    agent: (name) => `${name} está com você`,
    over: "Atendimento encerrado",
  },
  cue: { reading: "Lendo sua mensagem…", writing: "Escrevendo a resposta…", typing: (name) => `${name ?? "Atendente"} está digitando…` },
  notices: {
    queued: "Você está na fila para falar com uma pessoa.",
    queuedAgain: "Você voltou para a fila. Outra pessoa vai continuar daqui.",
    place: (position) => `Sua posição agora: ${position}ª.`,
    wait: (least, most) =>
      minutes(least) === minutes(most) ? `Espera de cerca de ${minutes(most)} min.` : `Espera de ${minutes(least)} a ${minutes(most)} min.`,
    noWait: "Sem estimativa de espera por enquanto.",
    agent: (name) => `${name} entrou na conversa.`,
    over: "Atendimento encerrado. Se precisar de mais alguma coisa, é só escrever.",
    anew: "Novo atendimento",
  },
  csat: {
    question: "Como foi o atendimento?",
    hint: "1 é péssimo, 5 é ótimo",
    scores: { 1: "1, péssimo", 2: "2, ruim", 3: "3, regular", 4: "4, bom", 5: "5, ótimo" },
    comment: "Quer contar mais? (opcional)",
    send: "Enviar avaliação",
    thanks: (score) => `Obrigado! Sua nota: ${score} de 5.`,
  },
  authors: { bot: "Assistente virtual", agent: "Atendente", customer: "Você" },
  saidBy: (who) => `${who}: `,
  states: {
    waiting: "Será enviada quando a conexão voltar",
    sending: "Enviando",
    sent: "Enviada",
    received: "Recebida",
  },
  connection: {
    connecting: "Conectando…",
    reconnecting: "Reconectando… Suas mensagens estão guardadas.",
    offline: "Sem internet neste aparelho. Suas mensagens saem quando ela voltar.",
    back: "Conexão restabelecida.",
    retry: "Tentar agora",
    refused: "Este endereço de atendimento não existe. Confira o link com o seu provedor.",
    slower: "Muitas mensagens em pouco tempo. As próximas saem em instantes.",
    busy: "Muita gente escrevendo agora. Sua mensagem está guardada e sai em instantes.",
  },
  about: {
    open: "Sobre esta conversa",
    title: "Sobre esta conversa",
    text: "Ao abrir esta página de novo neste aparelho, a conversa continua de onde parou. Em aparelho emprestado, esqueça a conversa ao terminar. O provedor guarda o atendimento pelo protocolo.",
    forget: "Esquecer neste aparelho",
    close: "Fechar",
  },
  days: { today: "Hoje", yesterday: "Ontem" },
};
